#include "alert/environment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace alertspool {
namespace {

using Variables = std::map<std::string, std::string>;

std::vector<std::string> list_of(const Alert& alert) {
  return environment({42, "2026-11-23T16:06:56.123Z", false}, {"page", 2}, alert, {"PATH=/bin", "HOME=/root"});
}

/// By name; every name once.
Variables variables_of(const std::vector<std::string>& list) {
  Variables variables;
  for (const auto& variable : list) {
    const auto equals = variable.find('=');
    EXPECT_NE(equals, std::string::npos) << variable;
    EXPECT_TRUE(variables.emplace(variable.substr(0, equals), variable.substr(equals + 1)).second) << variable;
  }
  return variables;
}

Variables variables_of(const Alert& alert) {
  return variables_of(list_of(alert));
}

Alert alert_with(Fields fields, Fields dimensions = {}, Fields url = {}) {
  Alert alert;
  alert.fields = std::move(fields);
  alert.dimensions = std::move(dimensions);
  alert.origin.url = std::move(url);
  return alert;
}

/// What the kernel counts (execve(2)): text, NUL and pointer.
std::size_t kernel_size(const std::vector<std::string>& list) {
  std::size_t size = 0;
  for (const auto& variable : list) size += variable.size() + 1 + sizeof(char*);
  return size;
}

TEST(UpperSnake, ChangesNames) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"alertName", "ALERT_NAME"},
      {"curValue", "CUR_VALUE"},
      {"rawMetricName", "RAW_METRIC_NAME"},
      {"namespace", "NAMESPACE"},
      {"userId", "USER_ID"},
      {"LD_PRELOAD", "LD_PRELOAD"},
      {"HTTPCode", "HTTPCODE"},
      {"net2Rate", "NET2_RATE"},
      {"already_snake", "ALREADY_SNAKE"},
      {"1st", "1ST"},
      {"", ""},
      {"my-team", ""},
      {"a b", ""},
      {"A=B", ""},
      {"BASH_FUNC_x%%", ""},
      {"caf\u00E9", ""},
      {std::string("a\0b", 3), ""},
  };
  for (const auto& [name, snake] : cases) EXPECT_EQ(upper_snake(name), snake) << name;
}

TEST(BaseEnvironment, IsFixedWhenWeHaveNothing) {
  const char* const own[] = {nullptr};
  EXPECT_EQ(base_environment(own),
            (std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
                                      "LANG=C.UTF-8"}));
}

TEST(BaseEnvironment, TakesHomeLangAndZoneOfOurOwnAndNothingElse) {
  const char* const own[] = {"PATH=/evil",
                             "LD_PRELOAD=x",
                             "LANG=de_DE.UTF-8",
                             "TZ=Asia/Shanghai",
                             "HOME=/var/lib/x",
                             "HOMEX=/y",
                             "LANGUAGE=de",
                             "TZDIR=/tz",
                             "=",
                             nullptr};
  EXPECT_EQ(base_environment(own),
            (std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "HOME=/var/lib/x", "LANG=de_DE.UTF-8", "TZ=Asia/Shanghai"}));
}

TEST(Environment, StartsWithTheBaseAndEndsWithWhatWasTruncated) {
  const auto list = list_of({});
  EXPECT_EQ(list[0], "PATH=/bin");
  EXPECT_EQ(list[1], "HOME=/root");
  EXPECT_EQ(list.back(), "ALERTSPOOL_TRUNCATED=");
}

TEST(Environment, SaysWhatTheSpoolKnows) {
  Alert alert;
  alert.origin = {"192.0.2.1", "main", {}};
  alert.severity = "WARN";
  alert.alarm = "0123456789abcdef";
  alert.digest = std::string(64, 'd');
  alert.time_ms = 1604919253334;
  auto variables = variables_of(alert);
  const Variables expected = {
      {"ALERTSPOOL_ID", "42"},
      {"ALERTSPOOL_UID", std::string(64, 'd')},
      {"ALERTSPOOL_TEST", "0"},
      {"ALERTSPOOL_TOKEN", "main"},
      {"ALERTSPOOL_ACTION", "page"},
      {"ALERTSPOOL_ATTEMPT", "2"},
      {"ALERTSPOOL_RECEIVED", "2026-11-23T16:06:56.123Z"},
      {"ALERTSPOOL_TIME", "2020-11-09T10:54:13.334Z"},
      {"ALERTSPOOL_ALARM", "0123456789abcdef"},
      {"ALERTSPOOL_SEVERITY", "WARN"},
      {"ALERTSPOOL_REMOTE_ADDR", "192.0.2.1"},
      {"ALERTSPOOL_TRUNCATED", ""},
  };
  std::erase_if(variables, [](const auto& variable) { return !variable.first.starts_with("ALERTSPOOL_"); });
  EXPECT_EQ(variables, expected);
}

TEST(Environment, MarksADrill) {
  EXPECT_EQ(variables_of(environment({1, "", true}, {"page", 1}, {}, {})).at("ALERTSPOOL_TEST"), "1");
}

TEST(Environment, WritesTheSendersTimeInUtc) {
  const std::vector<std::pair<std::optional<std::int64_t>, std::string>> cases = {
      {std::nullopt, ""},
      {0, "1970-01-01T00:00:00.000Z"},
      {1582970400007, "2020-02-29T10:00:00.007Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
  };
  for (const auto& [time_ms, text] : cases) {
    Alert alert;
    alert.time_ms = time_ms;
    EXPECT_EQ(variables_of(alert).at("ALERTSPOOL_TIME"), text);
  }
}

TEST(Environment, SetsEveryDocumentedFieldAlways) {
  const auto variables =
      variables_of(alert_with({{"alertName", "memory use"}, {"unit", "null"}, {"curValue", "97.39"}}));
  EXPECT_EQ(variables.at("CMS_ALERT_NAME"), "memory use");
  EXPECT_EQ(variables.at("CMS_CUR_VALUE"), "97.39");
  EXPECT_EQ(variables.at("CMS_UNIT"), "");
  for (const std::string name :
       {"ALERT_NAME", "ALERT_STATE", "TRIGGER_LEVEL",      "PRE_TRIGGER_LEVEL", "CUR_VALUE",
        "EXPRESSION", "DIMENSIONS",  "INSTANCE_NAME",      "METRIC_NAME",       "METRIC_PROJECT",
        "NAMESPACE",  "RULE_ID",     "TIMESTAMP",          "USER_ID",           "RAW_METRIC_NAME",
        "TRANS_ID",   "GROUP_ID",    "PRODUCT_GROUP_NAME", "REGION_ID",         "REGION_NAME",
        "UNIT",       "LAST_TIME"})
    EXPECT_TRUE(variables.contains("CMS_" + name)) << name;
}

TEST(Environment, ExportsUnknownFieldsWhoseNamesSurvive) {
  const auto variables =
      variables_of(alert_with({{"customLabels", "a"}, {"other", "null"}, {"odd-name", "b"}, {"", "c"}}));
  EXPECT_EQ(variables.at("CMS_CUSTOM_LABELS"), "a");
  EXPECT_EQ(variables.at("CMS_OTHER"), "");
  for (const auto& [name, value] : variables) EXPECT_TRUE(value != "b" && value != "c") << name;
  EXPECT_EQ(variables.at("ALERTSPOOL_TRUNCATED"), "") << "a name that is no variable's is not a cut value";
}

TEST(Environment, ExportsDimensionsAndUrlParameters) {
  const auto variables = variables_of(
      alert_with({}, {{"instanceId", "i-1"}, {"a-b", "x"}}, {{"team", "db"}, {"onCall", "me"}, {"a.b", "x"}}));
  EXPECT_EQ(variables.at("CMS_DIMENSION_INSTANCE_ID"), "i-1");
  EXPECT_EQ(variables.at("ALERTSPOOL_URL_TEAM"), "db");
  EXPECT_EQ(variables.at("ALERTSPOOL_URL_ON_CALL"), "me");
  for (const auto& [name, value] : variables) EXPECT_NE(value, "x") << name;
}

TEST(Environment, NeverLetsASendersNameLeaveItsPrefix) {
  const Fields hostile = {{"LD_PRELOAD", "x"}, {"PATH", "x"},    {"BASH_FUNC_x%%", "x"},
                          {"A=B", "x"},        {"", "x"},        {"ALERTSPOOL_ID", "x"},
                          {"id", "x"},         {"ID", "x"},      {"truncated", "x"},
                          {"caf\u00E9", "x"},  {"a\nPATH", "x"}, {std::string("a\0b", 3), "x"}};
  const auto variables = variables_of(alert_with(hostile, hostile, hostile));
  for (const auto& [name, value] : variables)
    EXPECT_TRUE(value != "x" || name.starts_with("CMS_") || name.starts_with("ALERTSPOOL_URL_")) << name;
  EXPECT_EQ(variables.at("PATH"), "/bin");
  EXPECT_EQ(variables.at("ALERTSPOOL_ID"), "42");
  EXPECT_EQ(variables.at("CMS_LD_PRELOAD"), "x");
  EXPECT_EQ(variables.at("ALERTSPOOL_URL_ID"), "x");
}

TEST(Environment, KeepsTheFirstOfNamesThatCollide) {
  const auto variables = variables_of(alert_with({{"ALERT_NAME", "late"},
                                                  {"alertName", "documented"},
                                                  {"fooBar", "first"},
                                                  {"foo_bar", "second"},
                                                  {"dimensionFoo", "field"}},
                                                 {{"foo", "dimension"}, {"FOO", "second"}}, {{"a", "1"}, {"A", "2"}}));
  EXPECT_EQ(variables.at("CMS_ALERT_NAME"), "documented");
  EXPECT_EQ(variables.at("CMS_FOO_BAR"), "first");
  EXPECT_EQ(variables.at("CMS_DIMENSION_FOO"), "dimension");
  EXPECT_EQ(variables.at("ALERTSPOOL_URL_A"), "1");
}

TEST(Environment, NeverHoldsTheSignature) {
  for (const std::string name : {"signature", "Signature", "SIGNATURE"})
    for (const auto& variable : list_of(alert_with({{name, "c2VjcmV0"}})))
      EXPECT_EQ(variable.find("c2VjcmV0"), std::string::npos) << variable;
}

TEST(Environment, CutsAValueAtNulAndSaysSo) {
  const auto variables = variables_of(alert_with({{"alertName", std::string("a\0b", 3)}, {"x", std::string("\0", 1)}}));
  EXPECT_EQ(variables.at("CMS_ALERT_NAME"), "a");
  EXPECT_EQ(variables.at("CMS_X"), "");
  EXPECT_EQ(variables.at("ALERTSPOOL_TRUNCATED"), "CMS_ALERT_NAME CMS_X");
}

TEST(Environment, CutsAValueThatTheKernelWouldRefuse) {
  const std::size_t most = kMaxVariable - std::string("CMS_X=").size();
  EXPECT_EQ(variables_of(alert_with({{"x", std::string(most, 'v')}})).at("ALERTSPOOL_TRUNCATED"), "");
  const auto variables = variables_of(alert_with({{"x", std::string(most + 1, 'v')}}));
  EXPECT_EQ(variables.at("CMS_X").size(), most);
  EXPECT_EQ(variables.at("ALERTSPOOL_TRUNCATED"), "CMS_X");
}

TEST(Environment, CutsBetweenCharacters) {
  const std::string character = "\u5185";
  for (std::size_t shift = 0; shift < character.size(); ++shift) {
    std::string value(shift, 'v');
    while (value.size() <= kMaxVariable) value += character;
    const auto kept = variables_of(alert_with({{"x", value}})).at("CMS_X");
    EXPECT_EQ((kept.size() - shift) % character.size(), 0U) << shift;
    EXPECT_GT(kept.size() + character.size() + std::string("CMS_X=").size(), kMaxVariable);
  }
}

TEST(Environment, LeavesOutANameThatIsLongerThanAVariable) {
  const auto list = list_of(alert_with({{std::string(kMaxVariable, 'a'), "x"}, {"b", "y"}}));
  EXPECT_EQ(variables_of(list).at("CMS_B"), "y");
  EXPECT_EQ(variables_of(list).at("ALERTSPOOL_TRUNCATED"), "...");
}

TEST(Environment, HoldsItsTotalWithDocumentedFieldsAndOurOwnFirst) {
  Fields fields;
  for (int i = 0; i < 100; ++i) fields.emplace_back("unknown" + std::to_string(i), std::string(kMaxVariable, 'v'));
  fields.emplace_back("alertName", std::string(1000, 'n'));
  auto alert = alert_with(fields, fields, {{"team", "db"}});
  alert.severity = "CRITICAL";
  const auto list = list_of(alert);
  const auto variables = variables_of(list);
  EXPECT_LE(kernel_size(list), kMaxEnvironment);
  EXPECT_GT(kernel_size(list), kMaxEnvironment / 2);
  EXPECT_EQ(variables.at("CMS_ALERT_NAME"), std::string(1000, 'n'));
  EXPECT_EQ(variables.at("ALERTSPOOL_SEVERITY"), "CRITICAL");
  EXPECT_EQ(variables.at("ALERTSPOOL_URL_TEAM"), "db");
  EXPECT_FALSE(variables.contains("CMS_UNKNOWN99"));
  EXPECT_NE(variables.at("ALERTSPOOL_TRUNCATED").find("CMS_UNKNOWN99"), std::string::npos) << "left out, but named";
}

TEST(Environment, CountsNamesAsTheKernelDoes) {
  Fields fields;
  for (int i = 0; i < 80000; ++i) fields.emplace_back("x" + std::to_string(i), "");
  EXPECT_LE(kernel_size(list_of(alert_with(fields))), kMaxEnvironment);
}

TEST(Environment, SetsEveryDocumentedFieldWhenNoneOfThemFits) {
  Fields fields;
  for (const auto name : documented_fields()) fields.emplace_back(name, std::string(kMaxVariable, 'v'));
  for (int i = 0; i < 20000; ++i) fields.emplace_back("x" + std::to_string(i), "");
  const auto list = list_of(alert_with(fields));
  const auto variables = variables_of(list);
  EXPECT_LE(kernel_size(list), kMaxEnvironment);
  for (const auto name : documented_fields()) EXPECT_TRUE(variables.contains("CMS_" + upper_snake(name))) << name;
  EXPECT_TRUE(variables.at("ALERTSPOOL_TRUNCATED").ends_with(" ..."));
}

}  // namespace
}  // namespace alertspool
