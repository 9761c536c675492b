#include "alert/alert.h"

#include "alert/decode.h"
#include "shared_data.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

Alert alert_of(std::string_view body, Origin origin = {}) {
  auto decoded = std::get<Decoded>(decode_form(body));
  return make_alert(std::move(origin), std::move(decoded.pairs), decoded.repaired_utf8);
}

Alert event_of(std::string_view body) {
  auto decoded = std::get<Decoded>(decode_json(body));
  return make_alert({}, std::move(decoded.pairs), decoded.repaired_utf8);
}

std::string without_tail(std::string text, std::string_view tail) {
  return text.ends_with(tail) ? text.substr(0, text.size() - tail.size()) : text;
}

/// FIPS 180-4, examples of NIST.
TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Severity, IsTheLevelThatCounts) {
  const std::pair<const char*, const char*> cases[] = {
      {"alertState=ALERT&triggerLevel=CRITICAL&preTriggerLevel=WARN", "CRITICAL"},
      {"alertState=ALERT&triggerLevel=INFO&preTriggerLevel=null", "INFO"},
      {"alertState=OK&triggerLevel=OK&preTriggerLevel=WARN", "WARN"},
      {"alertState=OK&triggerLevel=OK&preTriggerLevel=null", ""},
      {"alertState=INSUFFICIENT_DATA&triggerLevel=WARN&preTriggerLevel=CRITICAL", "WARN"},
      {"alertState=ALERT&triggerLevel=FATAL", "FATAL"},
      {"alertState=ALERT", ""},
      {"level=INFO&product=ECS", "INFO"},
  };
  for (const auto& [body, severity] : cases) EXPECT_EQ(alert_of(body).severity, severity) << body;
}

TEST(State, OnlyOkClearsAndOnlyAlertFires) {
  for (const char* state : {"ALERT", "OK", "INSUFFICIENT_DATA", "ok", "null", "", "SOMETHING"}) {
    const Alert alert = alert_of(std::string("alertState=") + state);
    EXPECT_EQ(clears(alert), std::string_view(state) == "OK") << state;
    EXPECT_EQ(fires(alert), std::string_view(state) == "ALERT") << state;
  }
  EXPECT_FALSE(clears(alert_of("a=1")));
}

TEST(Alert, TakesTheFirstOfEqualNamesAndKeepsAll) {
  const Alert alert = alert_of("alertState=OK&b=2&alertState=ALERT");
  EXPECT_TRUE(clears(alert));
  EXPECT_EQ(alert.fields.size(), 3u);
  EXPECT_EQ(first_of_each(alert.fields), (Fields{{"alertState", "OK"}, {"b", "2"}}));
  EXPECT_EQ(alert.flags, std::vector<std::string>{"repeated-field"});
  EXPECT_EQ(alert_of("a=%FF").flags, std::vector<std::string>{"invalid-utf8"});
  EXPECT_TRUE(alert_of("a=1").flags.empty());
}

TEST(Time, IsSecondsOrMillisecondsOrAnEventsTime) {
  const std::pair<const char*, std::optional<std::int64_t>> cases[] = {
      {"timestamp=1508136760", 1508136760000},
      {"timestamp=1604919253334", 1604919253334},
      {"timestamp=99999999999", 99999999999000},
      {"timestamp=100000000000", 100000000000},
      {"timestamp=0", 0},
      {"timestamp=null", std::nullopt},
      {"timestamp=", std::nullopt},
      {"timestamp=-5", std::nullopt},
      {"timestamp=1.5e9", std::nullopt},
      {"timestamp=253402300800000", std::nullopt},
      {"timestamp=18446744073709551615", std::nullopt},
      {"timestamp=99999999999999999999999", std::nullopt},
      {"eventTime=20210224T011113.709%2B0800", 1614100273709},
      {"eventTime=20210223T144113.709-0230", 1614100273709},
      {"timestamp=null&eventTime=20210223T171113.709%2B0000", 1614100273709},
      {"eventTime=20210224T011113.709 0800", std::nullopt},
      {"eventTime=20210224T011113.70912345", std::nullopt},
      {"eventTime=19700101T000000.000%2B0000", 0},
      {"eventTime=19700101T000000.000%2B0100", std::nullopt},
      {"eventTime=99991231T235959.999%2B0000", 253402300799999},
      {"eventTime=99991231T235959.999-0100", std::nullopt},
      {"eventTime=20210230T011113.709%2B0800", std::nullopt},
      {"eventTime=20210224T251113.709%2B0800", std::nullopt},
      {"eventTime=2021-02-24T01:11:13%2B0800", 1614100273000},
      {"eventTime=2021+224T011113.709%2B0800", std::nullopt},
      {"a=1", std::nullopt},
  };
  for (const auto& [body, time] : cases) EXPECT_EQ(alert_of(body).time_ms, time) << body;
}

constexpr const char* kRule = "alertState=ALERT&ruleId=r-1&userId=12&dimensions={userId=12, instanceId=i-1}&curValue=9";

TEST(Alarm, IsTheSameForOneRuleAndOneObject) {
  const std::string alarm = alert_of(kRule).alarm;
  EXPECT_EQ(alarm.size(), 16u);
  EXPECT_EQ(alarm.find_first_not_of("0123456789abcdef"), alarm.npos);
  for (const char* same : {"dimensions={instanceId=i-1, userId=12}&ruleId=r-1&userId=12&alertState=OK",
                           "dimensions={instanceId=i-1, region=null, userId=12}&ruleId=r-1&userId=12",
                           "dimensions={\"instanceId\":\"i-1\",\"userId\":\"12\"}&ruleId=r-1&userId=12",
                           "ruleId=r-1&userId=12&dimensions={userId=12, "
                           "instanceId=i-1}&transId=t&alertName=x&triggerLevel=OK&metricName=m"}) {
    EXPECT_EQ(alert_of(same).alarm, alarm) << same;
  }
}

TEST(Alarm, DiffersForEverythingElse) {
  const char* bodies[] = {kRule,
                          "ruleId=r-2&userId=12&dimensions={userId=12, instanceId=i-1}",
                          "ruleId=r-1&userId=13&dimensions={userId=12, instanceId=i-1}",
                          "ruleId=r-1&userId=12&dimensions={userId=12, instanceId=i-2}",
                          "ruleId=r-1&userId=12&dimensions={userId=12, instanceId=i-1, port=80}",
                          "ruleId=r-1&userId=12&dimensions={userId=i-1, instanceId=12}",
                          "ruleId=r-1&userId=12",
                          "ruleId=r-1&userId=12&dimensions=something else",
                          "alertName=r-1&userId=12&dimensions={userId=12, instanceId=i-1}",
                          "alertName=a&metricName=m",
                          "alertName=a&rawMetricName=m2&metricName=m",
                          "alertName=am",
                          "metricName=am",
                          "product=am",
                          "product=a&name=m",
                          "name=am",
                          "resourceId=am"};
  std::vector<std::string> alarms;
  for (const char* body : bodies) alarms.push_back(alert_of(body).alarm);
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(alarms[i], alarms[j]) << bodies[i] << " and " << bodies[j];
  }
}

TEST(Alarm, TakesNullForAbsent) {
  EXPECT_EQ(alert_of("ruleId=null&alertName=a&rawMetricName=null&metricName=m&dimensions=null").alarm,
            alert_of("alertName=a&metricName=m").alarm);
  EXPECT_EQ(alert_of("alertName=a&rawMetricName=m&metricName=Chinese").alarm,
            alert_of("alertName=a&rawMetricName=m&metricName=English").alarm);
}

TEST(Alarm, IsALaneOfItsOwnWhenNothingNamesIt) {
  const Alert alert = alert_of("some=thing");
  EXPECT_EQ(alert.alarm, alert.digest.substr(0, 16));
  EXPECT_NE(alert.alarm, alert_of("some=other").alarm);
}

TEST(Alarm, OfAnEventIsProductNameAndResource) {
  const std::string alarm = event_of(R"({"product":"ECS","name":"X","resourceId":"r","id":"1","level":"WARN"})").alarm;
  EXPECT_EQ(event_of(R"({"level":"INFO","resourceId":"r","name":"X","product":"ECS","id":"2"})").alarm, alarm);
  EXPECT_NE(event_of(R"({"product":"ECS","name":"X","resourceId":"r2"})").alarm, alarm);
}

TEST(Digest, IsTheSameForTheSendersRepeats) {
  const std::string digest = alert_of(kRule).digest;
  EXPECT_EQ(digest.size(), 64u);
  for (const char* same :
       {"curValue=9&dimensions={userId=12, instanceId=i-1}&userId=12&ruleId=r-1&alertState=ALERT",
        "curValue=9&dimensions=%7BuserId%3D12,+instanceId%3Di-1%7D&userId=12&ruleId=r-1&alertState=ALERT",
        "lastTime=2 minutes&signature=x&curValue=9&dimensions={userId=12, "
        "instanceId=i-1}&userId=12&ruleId=r-1&alertState=ALERT",
        "lastTime=3 minutes&signature=y&curValue=9&dimensions={userId=12, "
        "instanceId=i-1}&userId=12&ruleId=r-1&alertState=ALERT"}) {
    EXPECT_EQ(alert_of(same).digest, digest) << same;
  }
}

TEST(Digest, DiffersForEverythingElse) {
  const char* bodies[] = {"timestamp=1&a=2",
                          "timestamp=2&a=2",
                          "timestamp=1&a=2&b=",
                          "timestamp=1&a=null",
                          "timestamp=1",
                          "a=1&a=2",
                          "a=2&a=1",
                          "a=1",
                          "a=12",
                          "a1=2",
                          "a=1&b=2",
                          "a=1b2",
                          "a=1%00b%002",
                          "a=1,1:b1:2",
                          "aurl=1"};
  std::vector<std::string> digests;
  for (const char* body : bodies) digests.push_back(alert_of(body).digest);
  digests.push_back(alert_of("b=2", {"", "", {{"a", "1"}}}).digest);
  digests.push_back(alert_of("a=1", {"", "", {{"b", "2"}}}).digest);
  digests.push_back(alert_of("a=1", {"", "", {{"lastTime", "2"}}}).digest);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]) << i << " and " << j;
  }
}

TEST(Digest, DoesNotDependOnWhoSentItAndWithWhichToken) {
  EXPECT_EQ(alert_of("a=1", {"192.0.2.1", "db", {}}).digest, alert_of("a=1", {"192.0.2.2", "web", {}}).digest);
}

TEST(Lookup, FindsWhatAMatchLineCanName) {
  const Alert alert = alert_of(
      "alertState=OK&triggerLevel=OK&preTriggerLevel=WARN&instanceName=null&severity=forged&token=forged&"
      "dimensions={instanceId=i-1, device=null}",
      {"192.0.2.1", "db", {{"team", "dba"}, {"x", "null"}}});
  const std::pair<const char*, const char*> cases[] = {{"alertState", "OK"},
                                                       {"severity", "WARN"},
                                                       {"remoteAddr", "192.0.2.1"},
                                                       {"token", "db"},
                                                       {"dimension.instanceId", "i-1"},
                                                       {"dimension.device", ""},
                                                       {"dimension.none", ""},
                                                       {"url.team", "dba"},
                                                       {"url.x", ""},
                                                       {"instanceName", ""},
                                                       {"none", ""}};
  for (const auto& [field, value] : cases) EXPECT_EQ(lookup(alert, field), value) << field;
}

TEST(DocumentedFields, AreThoseOfTheVendorWithoutTheSignature) {
  const auto& names = documented_fields();
  EXPECT_EQ(names.size(), 22u);
  EXPECT_EQ(names[0], "alertState");
  EXPECT_EQ(names[1], "triggerLevel");
  EXPECT_EQ(names[2], "alertName");
  EXPECT_EQ(std::count(names.begin(), names.end(), "signature"), 0);
  READ_SHARED_OR_SKIP(body, "data/callbacks/2023-06-apigateway-ok.form");
  for (const auto& [name, value] : alert_of(body).fields) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), name == "signature" ? 0 : 1) << name;
  }
}

struct Captured {
  const char* file;
  const char* severity;
  std::int64_t time_ms;
  std::size_t dimensions;
};

TEST(Captures, AreUnderstoodWhole) {
  const Captured cases[] = {
      {"2018-07-ecs-memory-alert.form", "", 1532233980000, 2},
      {"2019-06-site-monitor-ok.form", "INFO", 1560334740000, 2},
      {"2020-11-ecs-memory-alert.form", "WARN", 1604919253334, 2},
      {"2023-06-apigateway-ok.form", "INFO", 1685614196421, 4},
      {"vendor-sample-2021.form", "WARN", 1508136760000, 2},
      {"vendor-sample-2024.form", "WARN", 1508136760000, 2},
  };
  for (const auto& one : cases) {
    READ_SHARED_OR_SKIP(body, std::string("data/callbacks/") + one.file);
    const Alert alert = alert_of(without_tail(body, "\n"));
    EXPECT_EQ(alert.severity, one.severity) << one.file;
    EXPECT_EQ(alert.time_ms, one.time_ms) << one.file;
    EXPECT_EQ(alert.dimensions.size(), one.dimensions) << one.file;
    EXPECT_NE(alert.alarm, alert.digest.substr(0, 16)) << one.file;
    EXPECT_TRUE(alert.flags.empty()) << one.file;
  }
}

TEST(Captures, TheVendorsEventHasSeverityTimeAndAlarm) {
  READ_SHARED_OR_SKIP(body, "data/callbacks/vendor-sample-event.json");
  const Alert alert = event_of(body);
  EXPECT_EQ(alert.severity, "INFO");
  EXPECT_EQ(alert.time_ms, 1614100273709);
  EXPECT_NE(alert.alarm, alert.digest.substr(0, 16));
}

}  // namespace
}  // namespace alertspool
