#include "alert/line.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

Alert alert_with(Fields fields) {
  Alert alert;
  alert.fields = std::move(fields);
  return alert;
}

/// A line of one field of the given length, and one behind it.
std::string line_of(std::size_t length) {
  const std::string start = "id=42 alertState=ALERT x=";
  const auto alert =
      alert_with({{"x", std::string(length - start.size() - 4, 'v')}, {"y", "1"}, {"alertState", "ALERT"}});
  return syslog_line(42, false, alert);
}

TEST(Line, ShowsDocumentedFieldsFirstInAFixedOrder) {
  const auto alert = alert_with({{"zebra", "1"},
                                 {"alertName", "memory use"},
                                 {"triggerLevel", "WARN"},
                                 {"aardvark", "2"},
                                 {"alertState", "ALERT"}});
  EXPECT_EQ(syslog_line(42, false, alert),
            "id=42 alertState=ALERT triggerLevel=WARN alertName=\"memory use\" zebra=1 aardvark=2");
}

TEST(Line, MarksADrill) {
  EXPECT_EQ(syslog_line(7, true, alert_with({{"a", "b"}})), "id=7 test=1 a=b");
}

TEST(Line, LeavesOutWhatIsAbsent) {
  EXPECT_EQ(syslog_line(1, false, alert_with({{"unit", "null"}, {"groupId", ""}, {"x", "null"}, {"y", ""}})), "id=1");
}

TEST(Line, MasksTheSignature) {
  EXPECT_EQ(syslog_line(1, false, alert_with({{"signature", "c2VjcmV0"}})), "id=1 signature=***");
}

TEST(Line, IsOneLineOfTextWhateverTheSenderSays) {
  const std::vector<std::pair<Field, std::string>> cases = {
      {{"x", "<0>%s%n"}, R"(x=<0>%s%n)"},
      {{"x", "$Average>=95"}, R"(x="$Average>=95")"},
      {{"x", "a\"b"}, R"(x="a\"b")"},
      {{"x", "a\nid=43 b"}, R"(x="a\nid=43 b")"},
      {{"x", "a\\b"}, R"(x=a\\b)"},
      {{"a b", "c"}, R"(field="a b=c")"},
      {{"a=b", "c"}, R"(field="a=b=c")"},
      {{"a\nb", "c"}, R"(field="a\nb=c")"},
      {{"", "c"}, R"(field="=c")"},
      {{"\u5185", "c"}, "field=\"\u5185=c\""},
      {{"id", "43"}, R"(field="id=43")"},
      {{"test", "1"}, R"(field="test=1")"},
      {{"truncated", "1"}, R"(field="truncated=1")"},
      {{"field", "a=b"}, R"(field="field=a=b")"},
      {{"a.b-c_1", "d"}, R"(a.b-c_1=d)"},
  };
  for (const auto& [field, item] : cases) EXPECT_EQ(syslog_line(42, false, alert_with({field})), "id=42 " + item);
}

TEST(Line, EscapesEveryControl) {
  std::string value;
  for (char c = 0; c < 0x20; ++c) value += c;
  value += "\x7F\u0085\u009B\u2028\u2029\u202E\u2066";
  const auto line = syslog_line(1, false, alert_with({{"x", value}}));
  for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << line;
}

TEST(Line, IsCutAtAFieldBoundaryAndSaysSo) {
  EXPECT_EQ(line_of(kMaxLine).size(), kMaxLine) << "it just fits";
  EXPECT_TRUE(line_of(kMaxLine).ends_with(" y=1"));
  EXPECT_EQ(line_of(kMaxLine + 1).size(), std::string("id=42 alertState=ALERT truncated=1").size())
      << "there is no room for the long field with truncated=1";
  const std::string value(kMaxLine - std::string("id=1 x= truncated=1").size(), 'v');
  EXPECT_EQ(syslog_line(1, false, alert_with({{"x", value}, {"y", value}})), "id=1 x=" + value + " truncated=1")
      << "truncated=1 just fits";
  const auto shorter = alert_with({{"x", std::string(kMaxLine - 100, 'v')}, {"y", std::string(200, 'w')}});
  EXPECT_EQ(syslog_line(1, false, shorter), "id=1 x=" + std::string(kMaxLine - 100, 'v') + " truncated=1");
}

TEST(Line, IsNeverLongerThanItsLimit) {
  for (std::size_t length = kMaxLine - 30; length < kMaxLine + 30; ++length) {
    const auto line = line_of(length);
    EXPECT_LE(line.size(), kMaxLine);
    EXPECT_EQ(line.ends_with(" truncated=1"), length > kMaxLine) << length;
  }
}

// RFC 5424, table 2.
TEST(Line, HasThePriorityOfTheAlert) {
  struct Case {
    std::string state;
    std::string severity;
    int expected;
  };
  const std::vector<Case> cases = {
      {"ALERT", "CRITICAL", 2},
      {"ALERT", "WARN", 4},
      {"ALERT", "INFO", 6},
      {"ALERT", "", 5},
      {"ALERT", "odd", 5},
      {"OK", "CRITICAL", 5},
      {"OK", "", 5},
      {"", "CRITICAL", 2},
      {"INSUFFICIENT_DATA", "CRITICAL", 4},
      {"odd", "WARN", 4},
      {"", "", 5},
      {"INSUFFICIENT_DATA", "", 4},
  };
  for (const auto& [state, severity, expected] : cases) {
    auto alert = alert_with({{"alertState", state}});
    alert.severity = severity;
    EXPECT_EQ(syslog_severity(alert), expected) << state << " " << severity;
  }
}

}  // namespace
}  // namespace alertspool
