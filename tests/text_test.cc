#include "base/text.h"

#include "shared_data.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace alertspool {
namespace {

using namespace std::string_literals;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += hex_byte(hex.substr(i, 2)).value();
  return bytes;
}

TEST(Utf8, ReplacesMaximalSubpartsAsTheVectorsSay) {
  READ_SHARED_OR_SKIP(text, "data/vectors/utf8_flenniken.json");
  const auto vectors = nlohmann::json::parse(text);
  ASSERT_EQ(vectors["cases"].size(), 216u);
  for (const auto& one : vectors["cases"]) {
    const bool valid = one["valid"];
    const std::string bytes = from_hex(one["bytes_hex"].get<std::string>());
    bool replaced = valid;
    EXPECT_EQ(to_hex(to_valid_utf8(bytes, &replaced)), one[valid ? "bytes_hex" : "replace_hex"]) << one;
    EXPECT_EQ(replaced, !valid) << one;
    EXPECT_EQ(unescape_bytes(escape_bytes(bytes)), bytes) << one;
  }
}

TEST(Utf8, KeepsNulAndByteOrderMark) {
  const std::string text = "\uFEFFa\0b"s;
  bool replaced = true;
  EXPECT_EQ(to_valid_utf8(text, &replaced), text);
  EXPECT_FALSE(replaced);
}

TEST(Utf8, FindsTheOneBadByteWhereverItIs) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string bytes(40, 'a');
    bytes[at] = '\xFF';
    const std::string expected = std::string(at, 'a') + "\uFFFD" + std::string(39 - at, 'a');
    EXPECT_EQ(to_valid_utf8(bytes), expected) << at;
  }
}

TEST(EscapeBytes, TurnsEveryByteBackExactly) {
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) all.append({static_cast<char>(first), static_cast<char>(second)});
  }
  const std::string escaped = escape_bytes(all);
  EXPECT_EQ(escaped.find('\0'), escaped.npos);
  EXPECT_EQ(to_valid_utf8(escaped), escaped);
  EXPECT_EQ(unescape_bytes(escaped), all);
}

TEST(EscapeBytes, LeavesReadableTextAsItIs) {
  EXPECT_EQ(escape_bytes("a=%3D&b=内存"), "a=%3D&b=内存");
  EXPECT_EQ(escape_bytes("a\\x41\0\xFF"s), "a\\x5cx41\\x00\\xff");
}

TEST(EscapeBytes, UnescapesOnlyWholeEscapes) {
  EXPECT_EQ(unescape_bytes("\\x4\\x4g\\\\x41\\x"), "\\x4\\x4g\\A\\x");
  EXPECT_EQ(unescape_bytes("\\X41 \\xFf"), "\\X41 \xFF");
}

TEST(EscapeControls, LeavesNothingThatMovesACursor) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain text", "plain text"},
      {"内存，使用率", "内存，使用率"},
      {"a\nb\tc\rd", "a\\nb\\tc\\x0dd"},
      {"\0\x1b[31m\x7f"s, "\\x00\\x1b[31m\\x7f"},
      {"\u0080\u0085\u009F\u00A0", "\\u{0080}\\u{0085}\\u{009f}\u00A0"},
      {"\u2028\u2029", "\\u{2028}\\u{2029}"},
      {"\u061C\u200E\u200F\u202A\u202E\u2066\u2069", "\\u{061c}\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}"},
      {"\u200D\u202F\u2065\u206A", "\u200D\u202F\u2065\u206A"},
      {"C:\\n", "C:\\\\n"},
      {"a\xFFz", "a\uFFFDz"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(escape_controls(text), expected);
}

TEST(IsPlain, IsPrintableAsciiWithoutBackslash) {
  for (const std::string_view text : {"", "a", "~ \"quoted\" & more than one block of 16"})
    EXPECT_TRUE(is_plain(text)) << text;
  for (const std::string_view text : {"a\\b", "a\n", "\x7F", "more than sixteen bytes, then \xC3\xA4"})
    EXPECT_FALSE(is_plain(text)) << text;
}

TEST(Logfmt, QuotesOnlyWhereNeeded) {
  EXPECT_EQ(logfmt("a", "b"), "a=b");
  EXPECT_EQ(logfmt("a", ""), "a=\"\"");
  EXPECT_EQ(logfmt("a", "b c"), "a=\"b c\"");
  EXPECT_EQ(logfmt("a", "$Value>=5"), "a=\"$Value>=5\"");
  EXPECT_EQ(logfmt("a", "say \"hi\"\n"), "a=\"say \\\"hi\\\"\\n\"");
  EXPECT_EQ(logfmt("a", "back\\slash"), "a=back\\\\slash");
}

TEST(Logfmt, KeepsAForgedNameOnePair) {
  EXPECT_EQ(logfmt("x alertState=\"OK\"\n", "1"), "x_alertState__OK_\\n=1");
}

TEST(Hex, ReadsOneByteOfEitherCase) {
  EXPECT_EQ(hex_byte("fF"), '\xFF');
  EXPECT_EQ(hex_byte("00"), '\0');
  for (const char* bad : {"", "f", "fff", "0x", "g0", "0g", "+1", " 1", "/0", ":0", "@0", "`0"}) {
    EXPECT_EQ(hex_byte(bad), std::nullopt) << bad;
  }
}

TEST(Split, HasOnePartMoreThanSeparators) {
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
}

TEST(Trim, TakesWhiteSpaceOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Number, IsDigitsOnlyAndFitsInto64Bits) {
  EXPECT_EQ(parse_number("0"), 0u);
  EXPECT_EQ(parse_number("007"), 7u);
  EXPECT_EQ(parse_number("18446744073709551615"), 18446744073709551615u);
  for (const char* bad :
       {"", "+3", "-1", " 1", "1 ", "1.0", "0x10", "18446744073709551616", "1000000000000000000000000000000"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
}

TEST(Nearest, NamesTheWordThatWasProbablyMeant) {
  const std::vector<std::string> keys = {"allow", "store", "retry-min", "retry-max", "keep"};
  EXPECT_EQ(nearest("alow", keys), "allow");
  EXPECT_EQ(nearest("sotre", keys), "store");
  EXPECT_EQ(nearest("retry_max", keys), "retry-max");
  EXPECT_EQ(nearest("keeep", keys), "keep");
  EXPECT_EQ(nearest("colour", keys), "");
  EXPECT_EQ(nearest("", keys), "");
  EXPECT_EQ(nearest("allow", {}), "");
}

}  // namespace
}  // namespace alertspool
