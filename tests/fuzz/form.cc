#include "alert/decode.h"

#include "fuzz.h"

#include <cctype>
#include <vector>

namespace alertspool {
namespace {

using namespace fuzz;

/// WHATWG URL Standard, "percent-decode" and the parser of application/x-www-form-urlencoded, step by step.
std::string percent_decode(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto is_hex = [&](std::size_t at) {
      return at < bytes.size() && std::isxdigit(static_cast<unsigned char>(bytes[at]));
    };
    if (bytes[i] != '%' || !is_hex(i + 1) || !is_hex(i + 2)) {
      out += bytes[i];
      continue;
    }
    out += static_cast<char>(std::stoi(std::string(bytes.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

Fields reference(std::string_view body, bool* repaired) {
  Fields pairs;
  std::string sequence;
  const auto finish = [&] {
    if (sequence.empty()) return;
    for (char& c : sequence)
      if (c == '+') c = ' ';
    const auto equals = std::min(sequence.find('='), sequence.size());
    const auto text = [&](std::string_view part) { return encode_utf8(decode_utf8(percent_decode(part), repaired)); };
    pairs.emplace_back(text(std::string_view(sequence).substr(0, equals)),
                       equals == sequence.size() ? "" : text(std::string_view(sequence).substr(equals + 1)));
    sequence.clear();
  };
  for (const char c : body) {
    if (c == '&')
      finish();
    else
      sequence += c;
  }
  finish();
  return pairs;
}

/// Its serializer, which percent-encodes more than it must.
std::string serialize(const Fields& pairs) {
  std::string out;
  const auto put = [&](std::string_view text) {
    for (const unsigned char c : text) {
      char encoded[4];
      std::snprintf(encoded, sizeof encoded, "%%%02X", c);
      out += c == ' ' ? "+" : std::isalnum(c) ? std::string(1, static_cast<char>(c)) : encoded;
    }
  };
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    put(name);
    out += '=';
    put(value);
  }
  return out;
}

}  // namespace

FUZZ_TARGET(form) {
  bool repaired = false;
  const Fields expected = reference(input, &repaired);
  const DecodeResult result = decode_form(input);
  if (const auto* why = std::get_if<Undecodable>(&result)) {
    demand(why->status == 413 && expected.size() > kMaxFields, "only too many fields are refused");
    return;
  }
  const auto& decoded = std::get<Decoded>(result);
  demand(expected.size() <= kMaxFields, "too many fields are refused");
  demand(decoded.pairs == expected, "the pairs are those of the URL Standard");
  demand(decoded.repaired_utf8 == repaired, "it says whether it repaired");
  const DecodeResult again = decode_form(serialize(decoded.pairs));
  demand(std::get<Decoded>(again).pairs == decoded.pairs, "what was decoded can be encoded and decoded again");
  demand(expected.size() < 2 || std::holds_alternative<Undecodable>(decode_form(input, expected.size() - 1)),
         "the limit is the number of pairs");
}

}  // namespace alertspool
