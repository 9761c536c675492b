#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace alertspool {
namespace {

unsigned char byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

/// One character, or one maximal ill-formed part, which has no code point.
struct Sequence {
  std::size_t length;
  std::optional<char32_t> code;
};

/// The UTF-8 decoder of the WHATWG Encoding Standard, section 8.1.1. REQUIRES: bytes is not empty.
Sequence first_sequence(std::string_view bytes) noexcept {
  const unsigned char lead = byte_at(bytes, 0);
  if (lead < 0x80) return {1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {1, std::nullopt};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size() || byte_at(bytes, i) < low || byte_at(bytes, i) > high) return {i, std::nullopt};
    code = code << 6 | (byte_at(bytes, i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {length, code};
}

/// Nobody minds the others anywhere: printable ASCII but the backslash. Without branches, so that a block of them takes
/// a few vector instructions.
constexpr bool is_special(char c) noexcept {
  return (c < 0x20) | (c == 0x7F) | (c == '\\');
}

/// How many bytes at the front are not special.
std::size_t plain_front(std::string_view text) noexcept {
  constexpr std::size_t kBlock = 16;
  std::size_t at = 0;
  for (char special = 0; text.size() - at >= kBlock; at += kBlock) {
    for (std::size_t i = 0; i < kBlock; ++i) special = static_cast<char>(special | is_special(text[at + i]));
    if (special != 0) break;
  }
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

/// The text with each sequence that is not plain as `write(out, bytes, code)` puts it.
template <class Write>
std::string rewritten(std::string_view text, Write write) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = plain_front(text);
    out.append(text, 0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Sequence sequence = first_sequence(text);
    write(out, text.substr(0, sequence.length), sequence.code);
    text.remove_prefix(sequence.length);
  }
  return out;
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char& byte : bytes) out.append("\\x").append(to_hex({&byte, 1}));
}

/// C1, U+2028, U+2029, and what Unicode calls Bidi_Control.
bool is_wide_control(char32_t code) noexcept {
  return (code >= 0x80 && code <= 0x9F) || code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/// Edits are one character more, less or other, and two neighbours exchanged (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  std::iota(d[0].begin(), d[0].end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    d[i][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

bool is_plain(std::string_view text) noexcept {
  return plain_front(text) == text.size();
}

std::string to_valid_utf8(std::string_view bytes, bool* replaced) {
  bool all_valid = true;
  std::string valid = rewritten(bytes, [&](std::string& out, std::string_view part, auto code) {
    out += code ? part : "\uFFFD";
    all_valid = all_valid && code;
  });
  if (replaced) *replaced = !all_valid;
  return valid;
}

std::u32string code_points(std::string_view text) {
  std::u32string codes;
  while (!text.empty()) {
    const Sequence sequence = first_sequence(text);
    codes += sequence.code.value_or(0xFFFD);
    text.remove_prefix(sequence.length);
  }
  return codes;
}

std::string escape_bytes(std::string_view bytes) {
  return rewritten(bytes, [](std::string& out, std::string_view part, auto code) {
    if (!code || *code == 0 || *code == '\\')
      append_escaped(out, part);
    else
      out += part;
  });
}

std::string unescape_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; (at = text.find("\\x")) != text.npos;) {
    const auto byte = hex_byte(text.substr(at + 2, 2));
    out.append(text.substr(0, byte ? at : at + 2));
    if (byte) out += *byte;
    text.remove_prefix(at + (byte ? 4 : 2));
  }
  return out.append(text);
}

std::string escape_controls(std::string_view text) {
  return rewritten(text, [](std::string& out, std::string_view part, auto code) {
    if (!code) {
      out += "\uFFFD";
    } else if (*code == '\n' || *code == '\t' || *code == '\\') {
      out.append(1, '\\').append(1, *code == '\n' ? 'n' : *code == '\t' ? 't' : '\\');
    } else if (*code < 0x20 || *code == 0x7F) {
      append_escaped(out, part);
    } else if (is_wide_control(*code)) {
      const char two_bytes[] = {static_cast<char>(*code >> 8), static_cast<char>(*code)};
      out.append("\\u{").append(to_hex({two_bytes, sizeof two_bytes})).append("}");
    } else {
      out += part;
    }
  });
}

std::string logfmt(std::string_view name, std::string_view value) {
  constexpr auto needs_quotes = [](char c) { return c == ' ' || c == '"' || c == '='; };
  std::string out = escape_controls(name);
  std::ranges::replace_if(out, needs_quotes, '_');
  out += '=';
  const std::string escaped = escape_controls(value);
  if (!escaped.empty() && std::ranges::none_of(escaped, needs_quotes)) return out.append(escaped);
  out += '"';
  for (const char c : escaped) out.append(c == '"' ? "\\" : "").append(1, c);
  return out.append(1, '"');
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) out.append({kHexDigits[byte >> 4], kHexDigits[byte & 0x0F]});
  return out;
}

std::optional<char> hex_byte(std::string_view digits) noexcept {
  unsigned char byte = 0;
  const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), byte, 16);
  if (digits.size() != 2 || error != std::errc() || rest != digits.end()) return std::nullopt;
  return static_cast<char>(byte);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto first = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc() || rest != text.end()) return std::nullopt;
  return number;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const auto distance = [&](const std::string& candidate) { return edit_distance(word, candidate); };
  const auto best = std::ranges::min_element(candidates, {}, distance);
  return best != candidates.end() && distance(*best) <= word.size() / 3 ? *best : "";
}

}  // namespace alertspool
