#include "alert/route.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

Alert alert_with(Fields fields) {
  Alert alert;
  alert.origin = {"192.0.2.1", "main", {{"team", "db"}}};
  alert.fields = std::move(fields);
  alert.dimensions = {{"instanceId", "i-1"}};
  alert.severity = "WARN";
  return alert;
}

Match match_of(std::string_view line) {
  auto parsed = parse_match(line);
  EXPECT_TRUE(std::holds_alternative<Match>(parsed)) << line;
  return std::get<Match>(parsed);
}

struct GlobCase {
  std::string glob;
  std::string text;
  bool matches;
};

TEST(Glob, MatchesTheWholeText) {
  const std::vector<GlobCase> cases = {
      {"", "", true},
      {"", "a", false},
      {"a", "", false},
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"abc", "ab", false},
      {"WARN", "warn", false},
      {"*", "", true},
      {"*", "anything at all\n", true},
      {"**", "a", true},
      {"a*", "a", true},
      {"a*c", "abbbc", true},
      {"a*c", "abbb", false},
      {"*b*", "abc", true},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
      {"a*b*c", "a-b-b-c", true},
      {"a*b*c", "a-c-b", false},
      {"?", "a", true},
      {"?", "", false},
      {"?*", "", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
  };
  for (const auto& [glob, text, expected] : cases) EXPECT_EQ(glob_matches(glob, text), expected) << glob << " " << text;
}

TEST(Glob, KnowsBracketsAndBackslash) {
  const std::vector<GlobCase> cases = {
      {"[abc]", "b", true},    {"[abc]", "d", false},  {"[abc]", "", false},    {"[a-c]x", "bx", true},
      {"[a-c]", "d", false},   {"[!a-c]", "d", true},  {"[!a-c]", "b", false},  {"[^a]", "b", true},
      {"[!a]", "", false},     {"[]]", "]", true},     {"[]a]", "a", true},     {"[!]]", "]", false},
      {"[!]]", "a", true},     {"[a-]", "-", true},    {"[-a]", "-", true},     {"[c-a]", "b", false},
      {"[\\]]", "]", true},    {"[\\!a]", "!", true},  {"[a\\-c]", "b", false}, {"[a\\-c]", "-", true},
      {"*[0-9]", "db7", true}, {"[abc", "[abc", true}, {"[abc", "a", false},    {"[", "[", true},
      {"[]", "[]", true},      {"\\*", "*", true},     {"\\*", "a", false},     {"\\?", "?", true},
      {"\\a", "a", true},      {"\\[a]", "[a]", true}, {"a\\", "a\\", true},    {"!a", "!a", true},
  };
  for (const auto& [glob, text, expected] : cases) EXPECT_EQ(glob_matches(glob, text), expected) << glob << " " << text;
}

TEST(Glob, TakesAUtf8CharacterAsOne) {
  const std::vector<GlobCase> cases = {
      {"?", "\u00E9", true},
      {"?", "\u5185", true},
      {"?", "\U0001F600", true},
      {"??", "\u5185", false},
      {"\u5185*", "\u5185\u5B58", true},
      {"[\u5185\u5B58]", "\u5B58", true},
      {"[\u5185]", "\u5186", false},
      {"[!\u5185]", "\u5B58", true},
      {"[a-\u00E9]", "\u00E8", true},
      {"[\u4E00-\u9FFF]", "\u5185", true},
      {"[\u4E00-\u9FFF]", "\uFF0C", false},
      {"*[\u5185]?", "x\u5185\u5B58", true},
      {"*[!\u5185]", "\u5185", false},
      {"a?", "a\xFF", true},
      {"?a",
       "\xE5"
       "a",
       true},
      {"*", "\xFF\xFE\x80", true},
  };
  for (const auto& [glob, text, expected] : cases) EXPECT_EQ(glob_matches(glob, text), expected) << glob << " " << text;
}

// With a recursive or an exponential matcher this does not end.
TEST(Glob, EndsOnATextMadeToBackTrack) {
  std::string glob;
  for (int i = 0; i < 30; ++i) glob += "*a";
  EXPECT_FALSE(glob_matches(glob + "*b", std::string(65536, 'a')));
  EXPECT_TRUE(glob_matches(glob + "*b", std::string(65536, 'a') + "b"));
  EXPECT_TRUE(glob_matches("*", std::string(1 << 20, 'a')));
}

TEST(Match, IsReadFromALine) {
  const auto match = match_of(R"(  severity CRITICAL 'two words' !INFO a\ b !'' )");
  EXPECT_EQ(match.field, "severity");
  EXPECT_EQ(match.globs, (std::vector<std::string>{"CRITICAL", "two words", "a b"}));
  EXPECT_EQ(match.excluded, (std::vector<std::string>{"INFO", ""}));
  EXPECT_EQ(match.text, R"(severity CRITICAL 'two words' !INFO a\ b !'')");
}

TEST(Match, IsRefusedWithItsReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no field: FIELD GLOB... is needed"},
      {"  ", "no field: FIELD GLOB... is needed"},
      {"'' x", "no field: FIELD GLOB... is needed"},
      {"severity", "no glob after 'severity': FIELD GLOB... is needed"},
      {"severity 'x", "unclosed \"'\""},
      {"severity x\\", "backslash at the end"},
  };
  for (const auto& [line, why] : cases) {
    const auto parsed = parse_match(line);
    ASSERT_TRUE(std::holds_alternative<std::string>(parsed)) << line;
    EXPECT_EQ(std::get<std::string>(parsed), why);
  }
}

TEST(Match, HoldsForOneOfItsGlobsAndNoneOfTheExcluded) {
  const auto alert = alert_with({{"metricName", "Host.mem.used"}, {"instanceName", "null"}});
  const std::vector<std::pair<std::string, bool>> cases = {
      {"severity WARN", true},
      {"severity CRITICAL", false},
      {"severity CRITICAL WARN", true},
      {"severity CRITICAL W*", true},
      {"severity !CRITICAL", true},
      {"severity !WARN", false},
      {"severity * !WARN", false},
      {"severity !W* WARN", false},
      {"severity CRITICAL !INFO", false},
      {"metricName Host.*", true},
      {"metricName Host", false},
      {"dimension.instanceId i-1", true},
      {"dimension.instanceId i-2", false},
      {"url.team db web", true},
      {"url.team !db", false},
      {"token main", true},
      {"remoteAddr 192.0.2.*", true},
      {"absent *", true},
      {"absent ?*", false},
      {"absent ''", true},
      {"absent !''", false},
      {"absent !x", true},
      {"instanceName ''", true},
      {"instanceName null", false},
  };
  for (const auto& [line, holds] : cases) EXPECT_EQ(matches(match_of(line), alert), holds) << line;
}

TEST(Route, TakesAnAlertWhenAllItsLinesHold) {
  const auto alert = alert_with({});
  EXPECT_EQ(why_not({"all", {}, true}, alert), "");
  EXPECT_EQ(why_not({"page", {match_of("severity WARN"), match_of("url.team db")}, true}, alert), "");
}

TEST(Route, SaysWhichLineDoesNotHoldAndWhatItSaw) {
  const auto alert = alert_with({{"alertName", "two\nlines"}});
  const Route route{"page", {match_of("url.team db"), match_of("severity CRITICAL 'a b'"), match_of("token x")}, true};
  EXPECT_EQ(why_not(route, alert), "severity CRITICAL 'a b': severity=WARN");
  EXPECT_EQ(why_not({"page", {match_of("ruleId !''")}, true}, alert), "ruleId !'': ruleId=\"\"");
  EXPECT_EQ(why_not({"page", {match_of("alertName cpu")}, true}, alert).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace alertspool
