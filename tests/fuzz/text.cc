#include "base/text.h"

#include "fuzz.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>

namespace alertspool {
namespace {

using namespace fuzz;

void utf8(std::string_view input) {
  bool error = false, replaced = false;
  const std::u32string codes = decode_utf8(input, &error);
  const std::string valid = to_valid_utf8(input, &replaced);
  demand(valid == encode_utf8(codes), "to_valid_utf8() is the WHATWG decoder");
  demand(replaced == error, "it says whether it replaced");
  demand(code_points(input) == codes, "code_points() are those of the same decoder");
}

void escapes(std::string_view input) {
  const std::string kept = escape_bytes(input);
  demand(is_utf8(kept) && kept.find('\0') == kept.npos, "escape_bytes() gives UTF-8 without NUL");
  demand(unescape_bytes(kept) == input, "unescape_bytes() turns it back exactly");
  demand(unescape_bytes(input).size() <= input.size(), "unescaping never grows");

  const std::string shown = escape_controls(input);
  demand(is_utf8(shown) && is_printable(shown), "escape_controls() leaves no control");
  const bool plain = is_utf8(input) && is_printable(input) && input.find('\\') == input.npos;
  demand((shown == input) == plain, "it leaves alone what needs no escape, and nothing else");
}

void pair(std::string_view name, std::string_view value) {
  const std::string text = logfmt(name, value);
  demand(is_utf8(text) && is_printable(text), "logfmt() is one line");
  const auto equals = text.find('=');
  demand(equals != text.npos, "a pair has a =");
  demand(text.substr(0, equals).find_first_of(" \"") == std::string::npos, "a name has no blank and no quote");
  const std::string escaped = escape_controls(value);
  std::string bare = text.substr(equals + 1);
  if (bare.starts_with('"')) {
    demand(bare.size() > 1 && bare.ends_with('"'), "a quote is closed");
    std::string unquoted;
    for (std::size_t i = 1; i + 1 < bare.size(); ++i) {
      // Backslashes come in pairs or before a quote or an escape; only the quote's own is logfmt's.
      if (bare[i] == '\\' && bare[i + 1] == '"')
        ++i;
      else if (bare[i] == '\\')
        unquoted += bare[i++];
      else
        demand(bare[i] != '"', "a quote inside is escaped");
      unquoted += bare[i];
    }
    bare = unquoted;
  } else {
    demand(!bare.empty() && bare.find_first_of(" =\"") == bare.npos, "what has a blank, a = or a quote is quoted");
  }
  demand(bare == escaped, "the value can be read back");
}

void parts(std::string_view input) {
  std::string joined;
  for (const std::string& part : split(input, ',')) joined += part + ',';
  joined.pop_back();
  demand(joined == input, "split() loses nothing");

  const std::string hex = to_hex(input);
  demand(hex.size() == 2 * input.size(), "two digits a byte");
  for (std::size_t i = 0; i < input.size(); ++i)
    demand(hex_byte(std::string_view(hex).substr(2 * i, 2)) == input[i], "hex_byte() reads what to_hex() writes");

  const std::string_view trimmed = trim(input);
  demand(input.find(trimmed) != input.npos, "trim() only takes away");
  if (!trimmed.empty())
    demand(!std::isspace(static_cast<unsigned char>(trimmed.front())) &&
               !std::isspace(static_cast<unsigned char>(trimmed.back())),
           "and leaves no blank at the ends");
}

void numbers(std::string_view input) {
  const std::string text(input);
  errno = 0;
  const std::uint64_t value = std::strtoull(text.c_str(), nullptr, 10);
  const bool good = !text.empty() && text.find_first_not_of("0123456789") == text.npos && errno == 0;
  const auto parsed = parse_number(input);
  demand(good ? parsed == value : !parsed, "digits only, up to 64 bits");
}

}  // namespace

FUZZ_TARGET(text) {
  utf8(input);
  escapes(input);
  parts(input);
  numbers(input);
  const std::string_view name = take_line(input);
  pair(name, input);
}

}  // namespace alertspool
