#include "alert/decode.h"

#include "base/text.h"

#include <strings.h>

#include <algorithm>

namespace alertspool {
namespace {

bool is_type(std::string_view content_type, std::string_view wanted) noexcept {
  const auto type = trim(content_type.substr(0, content_type.find(';')));
  return type.size() == wanted.size() && strncasecmp(type.data(), wanted.data(), wanted.size()) == 0;
}

/// `+` is a space, %HH a byte, and a % without two hex digits stays as it is. Most text has neither, and is returned
/// itself; otherwise what is returned is in `out`.
std::string_view percent_decode(std::string_view text, std::string& out) {
  if (text.find('%') == text.npos && text.find('+') == text.npos) return text;
  out.resize(text.size());
  char* end = out.data();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? hex_byte(text.substr(i + 1, 2)) : std::nullopt;
    *end++ = byte ? *byte : text[i] == '+' ? ' ' : text[i];
    if (byte) i += 2;
  }
  return {out.data(), end};
}

/// Takes what is before `end`, or all of it, off the front of the text, and the separator that stands there.
std::string_view take_until(std::string_view& text, std::size_t end, std::size_t separator_size = 1) noexcept {
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), part.size() + separator_size));
  return part;
}

}  // namespace

DecodeResult decode(std::string_view content_type, std::string_view body) {
  const bool json = is_type(content_type, "application/json");
  if (!json && !trim(content_type).empty() && !is_type(content_type, "application/x-www-form-urlencoded")) {
    return Undecodable{415, "content type is neither application/x-www-form-urlencoded nor application/json"};
  }
  if (body.empty()) return Undecodable{400, "empty body"};
  DecodeResult result = json ? decode_json(body) : decode_form(body);
  const auto* decoded = std::get_if<Decoded>(&result);
  if (decoded && decoded->pairs.empty()) return Undecodable{400, "no field in the body"};
  return result;
}

DecodeResult decode_form(std::string_view body, std::size_t max_fields) {
  Decoded result;
  if (!body.empty()) result.pairs.reserve(32);  // CloudMonitor sends up to 25
  std::string bytes;
  const auto text = [&](std::string_view part) {
    bool repaired = false;
    std::string valid = to_valid_utf8(percent_decode(part, bytes), &repaired);
    result.repaired_utf8 |= repaired;
    return valid;
  };
  while (!body.empty()) {
    std::string_view value = take_until(body, body.find('&'));
    if (value.empty()) continue;
    if (result.pairs.size() == max_fields)
      return Undecodable{413, "more than " + std::to_string(max_fields) + " fields"};
    std::string name = text(take_until(value, value.find('=')));
    result.pairs.emplace_back(std::move(name), text(value));
  }
  return result;
}

Fields decode_dimensions(std::string_view text) {
  text = trim(text);
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return {};
  if (trim(text.substr(1)).front() == '"') {
    auto json = decode_json(text);
    auto* decoded = std::get_if<Decoded>(&json);
    return decoded ? std::move(decoded->pairs) : Fields();
  }
  Fields dimensions;
  for (text = text.substr(1, text.size() - 2); !text.empty();) {
    const auto piece = take_until(text, text.find(", "), 2);
    const auto equals = piece.find('=');
    if (equals != piece.npos && equals > 0) {
      dimensions.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
    } else if (dimensions.empty()) {
      return {};
    } else {
      dimensions.back().second.append(", ").append(piece);  // a value that contains a comma and a blank
    }
  }
  return dimensions;
}

}  // namespace alertspool
