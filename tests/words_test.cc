#include "alert/route.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreSplitAsAShellSplitsThem) {
  const std::vector<std::pair<std::string, Words>> cases = {
      {"", {}},
      {" \t ", {}},
      {"a", {"a"}},
      {"  a \t b  ", {"a", "b"}},
      {"/bin/page \"DB team\"", {"/bin/page", "DB team"}},
      {"'a b' c", {"a b", "c"}},
      {R"('a\b"c')", {R"(a\b"c)"}},
      {R"("\"\\\$\`")", {R"("\$`)"}},
      {R"("\n\a'")", {R"(\n\a')"}},
      {R"(a\ b \'c \\ \n)", {"a b", "'c", R"(\)", "n"}},
      {R"(a"b"'c'd)", {"abcd"}},
      {R"("" '' x)", {"", "", "x"}},
      {"a''", {"a"}},
      {"$HOME `id` $(id) *.c ~ a;b #c", {"$HOME", "`id`", "$(id)", "*.c", "~", "a;b", "#c"}},
      {"a\r", {"a"}},
      {"\xE6\x95\xB0 x", {"\xE6\x95\xB0", "x"}},
  };
  for (const auto& [line, words] : cases) {
    const auto split = split_words(line);
    ASSERT_TRUE(std::holds_alternative<Words>(split)) << line;
    EXPECT_EQ(std::get<Words>(split), words) << line;
  }
}

TEST(Words, AreRefusedWhenAQuoteIsNotClosed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"(a "b)", "unclosed '\"'"},      {R"(")", "unclosed '\"'"},          {R"("a\")", "unclosed '\"'"},
      {R"("a\)", "unclosed '\"'"},       {"a 'b", "unclosed \"'\""},         {R"('a\' b')", "unclosed \"'\""},
      {R"(a\)", "backslash at the end"}, {R"(a \)", "backslash at the end"},
  };
  for (const auto& [line, why] : cases) {
    const auto split = split_words(line);
    ASSERT_TRUE(std::holds_alternative<std::string>(split)) << line;
    EXPECT_EQ(std::get<std::string>(split), why) << line;
  }
}

}  // namespace
}  // namespace alertspool
