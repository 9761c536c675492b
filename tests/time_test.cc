#include "base/time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace alertspool {
namespace {

/// Local time of one zone for the length of a test.
class Zone {
public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    set(name);
  }
  ~Zone() { set(before_.empty() ? nullptr : before_.c_str()); }

private:
  static void set(const char* name) {
    name ? setenv("TZ", name, 1) : unsetenv("TZ");
    tzset();
  }
  std::string before_;
};

WallTime at(std::int64_t ms) {
  return WallTime(milliseconds(ms));
}

TEST(Time, IsWrittenAsRfc3339InUtc) {
  Zone zone("Asia/Shanghai");
  EXPECT_EQ(to_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(1604919253334)), "2020-11-09T10:54:13.334Z");
  EXPECT_EQ(to_rfc3339(at(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(at(253402300799999)), "9999-12-31T23:59:59.999Z");
}

TEST(Time, IsWrittenInLocalTimeForPeople) {
  Zone zone("Asia/Shanghai");
  EXPECT_EQ(to_local(at(1604919253334)), "2020-11-09 18:54:13 +0800");
}

TEST(Time, IsReadInTheFormsPeopleWrite) {
  Zone zone("Europe/Berlin");
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2020-11-09T10:54:13.334Z", 1604919253334},
      {"2020-11-09T10:54:13.3349Z", 1604919253334},
      {"2020-11-09T18:54:13+08:00", 1604919253000},
      {"2020-11-09T07:24:13-03:30", 1604919253000},
      {"2020-11-09 18:54:13 +0800", 1604919253000},
      {"2020-11-09 11:54:13", 1604919253000},  // winter: an hour ahead of UTC
      {"2020-11-09 11:54", 1604919240000},
      {"2020-07-01", 1593554400000},  // summer: two hours ahead
      {"2024-02-29T00:00:00Z", 1709164800000},
      {"2016-12-31T23:59:60Z", 1483228800000},
  };
  for (const auto& [text, ms] : cases) EXPECT_EQ(parse_time(text), at(ms)) << text;
}

TEST(Time, IsRefusedInOtherForms) {
  for (const char* bad : {"",
                          "now",
                          "2020",
                          "2020-11",
                          "20201109",
                          "2020-11-9",
                          "2020-13-01",
                          "2020-02-30",
                          "2023-02-29",
                          "2020-11-09T",
                          "2020-11-09T24:00:00Z",
                          "2020-11-09T10:60:00Z",
                          "2020-11-09T10:54:61Z",
                          "2020-11-09T10:54:13.Z",
                          "2020-11-09T10:54:13+8",
                          "2020-11-09T10:54:13Zx",
                          " 2020-11-09",
                          "2020-11-09 ",
                          "+020-11-09",
                          "2020-11-09 1:02"}) {
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
  }
}

TEST(Duration, NeedsItsUnit) {
  const std::pair<const char*, std::int64_t> good[] = {{"30s", 30'000},
                                                       {"10m", 600'000},
                                                       {"2h", 7'200'000},
                                                       {"3d", 259'200'000},
                                                       {"500ms", 500},
                                                       {"0s", 0},
                                                       {"9223372036854775807ms", 9223372036854775807}};
  for (const auto& [text, ms] : good) EXPECT_EQ(parse_duration(text), milliseconds(ms)) << text;
  for (const char* bad : {"", "30", "s", "-3s", "+3s", "3 s", "1h30m", "3S", "1.5h", "9223372036854775808ms",
                          "106751991168d", "99999999999999999999s"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Duration, IsWrittenInTheLargestUnitThatDividesIt) {
  const std::pair<std::int64_t, const char*> cases[] = {{90'000, "90s"},     {120'000, "2m"},  {3'600'000, "1h"},
                                                        {259'200'000, "3d"}, {1500, "1500ms"}, {0, "0s"}};
  for (const auto& [ms, text] : cases) EXPECT_EQ(to_text(milliseconds(ms)), text);
}

}  // namespace
}  // namespace alertspool
