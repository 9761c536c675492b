#include "web/refusal_log.h"

#include "fake_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

namespace alertspool {
namespace {

using namespace std::chrono_literals;

Refused from(const std::string& address, const std::string& reason = "address") {
  return {reason, "no allow prefix", address, false};
}

std::string logged(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

auto lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

class RefusalLogTest : public testing::Test {
protected:
  FakeClock clock;
  RefusalLog log{clock};
};

TEST_F(RefusalLogTest, WritesTheFirstOfEachReasonAndAddress) {
  const std::string text = logged([&] {
    log.refused(from("192.0.2.1"));
    log.refused(from("192.0.2.2"));
    log.refused(from("192.0.2.1", "token"));
  });
  EXPECT_EQ(lines(text), 3);
  EXPECT_NE(text.find("reason=token addr=192.0.2.1"), std::string::npos) << text;
}

TEST_F(RefusalLogTest, LeavesOutEqualOnesForAMinuteAndThenSaysHowMany) {
  const std::string text = logged([&] {
    for (int i = 0; i < 1000; ++i) log.refused(from("192.0.2.1"));
  });
  EXPECT_EQ(lines(text), 1);
  clock.advance(60s);
  const std::string later = logged([&] { log.refused(from("192.0.2.1")); });
  EXPECT_EQ(lines(later), 1);
  EXPECT_NE(later.find("left_out=999"), std::string::npos) << later;
}

TEST_F(RefusalLogTest, FlushTellsTheCountsOnceTheMinuteIsOver) {
  logged([&] {
    for (int i = 0; i < 3; ++i) log.refused(from("192.0.2.1"));
  });
  EXPECT_EQ(logged([&] { log.flush(false); }), "");
  clock.advance(60s);
  EXPECT_NE(logged([&] { log.flush(false); }).find("left_out=2"), std::string::npos);
  EXPECT_EQ(logged([&] { log.flush(false); }), "") << "told once";
}

TEST_F(RefusalLogTest, FlushOfAllWaitsForNoMinute) {
  logged([&] {
    for (int i = 0; i < 3; ++i) log.refused(from("192.0.2.1"));
    log.refused(from("192.0.2.2"));
  });
  const std::string text = logged([&] { log.flush(true); });
  EXPECT_EQ(lines(text), 1) << text;
  EXPECT_NE(text.find("left_out=2"), std::string::npos) << text;
}

TEST_F(RefusalLogTest, ForgetsTheOldestBeyondAThousandButTellsItsCount) {
  logged([&] {
    log.refused(from("192.0.2.1"));
    log.refused(from("192.0.2.1"));
    for (int i = 0; i < 999; ++i) log.refused(from("198.51.100." + std::to_string(i)));
  });
  const std::string text = logged([&] { log.refused(from("203.0.113.1")); });
  EXPECT_NE(text.find("addr=192.0.2.1 "), std::string::npos) << text;
  EXPECT_NE(text.find("left_out=1"), std::string::npos) << text;
  EXPECT_EQ(lines(logged([&] { log.refused(from("192.0.2.1")); })), 1) << "it is new again";
}

TEST_F(RefusalLogTest, AnUndecodableBodyIsAnError) {
  EXPECT_NE(logged([&] { log.refused(from("47.74.206.1", "undecodable")); }).find("level=error"), std::string::npos);
}

}  // namespace
}  // namespace alertspool
