/// Fuzz targets: each takes one input, feeds it to one thing and demands what the thing's header promises. libFuzzer
/// makes inputs (`make fuzz`); the unit tests run each target over its seeds.

#pragma once

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace alertspool::fuzz {

using Target = void (*)(std::string_view input);

/// By name.
inline std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}

#define FUZZ_TARGET(name)                                                                               \
  static void name##_target(std::string_view);                                                          \
  static const bool name##_is_known = alertspool::fuzz::targets().emplace(#name, name##_target).second; \
  static void name##_target([[maybe_unused]] std::string_view input)

/// A promise that is not kept throws: libFuzzer takes that for a crash and keeps the input.
inline void demand(bool kept, const char* promise) {
  if (!kept) throw std::logic_error(std::string("not kept: ") + promise);
}

/// The UTF-8 decoder of the WHATWG Encoding Standard, section 8.1.1, byte by byte as it is written there.
inline std::u32string decode_utf8(std::string_view bytes, bool* error = nullptr) {
  std::u32string out;
  const auto fail = [&] {
    out += U'\xFFFD';
    if (error) *error = true;
  };
  char32_t code = 0;
  int seen = 0, needed = 0;
  unsigned lower = 0x80, upper = 0xBF;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned byte = static_cast<unsigned char>(bytes[i]);
    if (needed == 0) {
      if (byte <= 0x7F)
        out += byte;
      else if (byte >= 0xC2 && byte <= 0xDF)
        needed = 1, code = byte & 0x1F;
      else if (byte >= 0xE0 && byte <= 0xEF)
        needed = 2, code = byte & 0xF, lower = byte == 0xE0 ? 0xA0 : 0x80, upper = byte == 0xED ? 0x9F : 0xBF;
      else if (byte >= 0xF0 && byte <= 0xF4)
        needed = 3, code = byte & 0x7, lower = byte == 0xF0 ? 0x90 : 0x80, upper = byte == 0xF4 ? 0x8F : 0xBF;
      else
        fail();
      continue;
    }
    const bool continues = byte >= lower && byte <= upper;
    lower = 0x80, upper = 0xBF;
    if (!continues) {
      needed = seen = 0;
      fail();
      --i;  // "restore byte to ioQueue"
      continue;
    }
    code = code << 6 | (byte & 0x3F);
    if (++seen < needed) continue;
    out += code;
    needed = seen = 0;
  }
  if (needed != 0) fail();
  return out;
}

inline std::string encode_utf8(std::u32string_view codes) {
  std::string out;
  for (const char32_t code : codes) {
    const auto put = [&](char32_t lead, int shift) {
      out += static_cast<char>(lead | code >> shift);
      while ((shift -= 6) >= 0) out += static_cast<char>(0x80 | (code >> shift & 0x3F));
    };
    if (code < 0x80)
      put(0, 0);
    else if (code < 0x800)
      put(0xC0, 6);
    else if (code < 0x10000)
      put(0xE0, 12);
    else
      put(0xF0, 18);
  }
  return out;
}

/// Without the U+FFFD that repairs: whether these bytes are UTF-8.
inline bool is_utf8(std::string_view bytes) {
  bool error = false;
  decode_utf8(bytes, &error);
  return !error;
}

/// Whether nothing in it moves a terminal's cursor, ends a line or turns its direction: design.md's list, which is
/// C0, DEL, C1, U+2028, U+2029 and the bidirectional controls (UAX 9, section 2).
inline bool is_printable(std::string_view text) {
  for (const char32_t c : decode_utf8(text)) {
    if (c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029) return false;
    if (c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))
      return false;
  }
  return true;
}

/// Takes the text before the first newline off the front.
inline std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

}  // namespace alertspool::fuzz
