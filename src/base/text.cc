#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace alertspool {
namespace {

unsigned char byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

bool is_ascii(std::string_view bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return (byte & 0x80) == 0; });
}

/// One character, or one maximal ill-formed part.
struct Sequence {
  std::size_t length;
  bool valid;
};

/// The UTF-8 decoder of the WHATWG Encoding Standard, section 8.1.1. REQUIRES: bytes is not empty.
Sequence first_sequence(std::string_view bytes) noexcept {
  const unsigned char lead = byte_at(bytes, 0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size() || byte_at(bytes, i) < low || byte_at(bytes, i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

template <class Take>
void for_each_sequence(std::string_view bytes, Take take) {
  while (!bytes.empty()) {
    const auto [length, valid] = first_sequence(bytes);
    take(bytes.substr(0, length), valid);
    bytes.remove_prefix(length);
  }
}

/// REQUIRES: one valid sequence.
char32_t code_point(std::string_view sequence) noexcept {
  constexpr unsigned char kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = byte_at(sequence, 0) & kLeadBits[sequence.size()];
  for (std::size_t i = 1; i < sequence.size(); ++i) code = code << 6 | (byte_at(sequence, i) & 0x3F);
  return code;
}

/// C1, U+2028, U+2029, and what Unicode calls Bidi_Control.
bool is_wide_control(char32_t code) noexcept {
  return (code >= 0x80 && code <= 0x9F) || code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

std::string without_controls(std::string_view character) {
  const char32_t code = code_point(character);
  const char two_bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\\') return "\\\\";
  if (code < 0x20 || code == 0x7F) return "\\x" + to_hex(character);
  if (is_wide_control(code)) return "\\u{" + to_hex({two_bytes, sizeof two_bytes}) + "}";
  return std::string(character);
}

int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const int letter = digit | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
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

std::string to_valid_utf8(std::string_view bytes, bool* replaced) {
  if (replaced) *replaced = false;
  if (is_ascii(bytes)) return std::string(bytes);  // nearly every field of every callback
  std::string out;
  out.reserve(bytes.size());
  for_each_sequence(bytes, [&](std::string_view part, bool valid) {
    out += valid ? part : "\uFFFD";
    if (!valid && replaced) *replaced = true;
  });
  return out;
}

std::string escape_bytes(std::string_view bytes) {
  const auto plain = [](char c) { return static_cast<signed char>(c) > 0 && c != '\\'; };
  if (std::all_of(bytes.begin(), bytes.end(), plain)) return std::string(bytes);
  std::string out;
  out.reserve(bytes.size());
  for_each_sequence(bytes, [&](std::string_view part, bool valid) {
    if (valid && (part.size() > 1 || plain(part[0]))) {
      out += part;
    } else {
      for (const char& byte : part) out.append("\\x").append(to_hex({&byte, 1}));
    }
  });
  return out;
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
  std::string out;
  out.reserve(text.size());
  for_each_sequence(text, [&](std::string_view part, bool valid) { out += valid ? without_controls(part) : "\uFFFD"; });
  return out;
}

std::string logfmt(std::string_view name, std::string_view value) {
  std::string out = escape_controls(name);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == ' ' || c == '"' || c == '='; }, '_');
  out += '=';
  const std::string escaped = escape_controls(value);
  if (!escaped.empty() && escaped.find_first_of(" \"=") == escaped.npos) return out.append(escaped);
  out += '"';
  for (const char c : escaped) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out.append(1, '"');
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += kHexDigits[byte_at(bytes, i) >> 4];
    out += kHexDigits[byte_at(bytes, i) & 0x0F];
  }
  return out;
}

std::optional<char> hex_byte(std::string_view digits) noexcept {
  if (digits.size() != 2) return std::nullopt;
  const int high = hex_value(digits[0]);
  const int low = hex_value(digits[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high << 4 | low);
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
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t smallest = word.size() / 3 + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(word, candidate);
    if (distance >= smallest) continue;
    smallest = distance;
    best = candidate;
  }
  return best;
}

}  // namespace alertspool
