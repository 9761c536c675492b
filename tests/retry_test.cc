#include "alert/retry.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

using namespace std::chrono_literals;

TEST(Retry, WaitsAsLongAsTheAlertIsOldWithinItsLimits) {
  const RetryPolicy policy{10s, 600s, 72h, {}};
  const std::vector<std::pair<milliseconds, milliseconds>> cases = {
      {0s, 10s},    {9s, 10s},  {10s, 10s},  {10001ms, 10001ms}, {300s, 300s},
      {600s, 600s}, {1h, 600s}, {72h, 600s}, {-1h, 10s},
  };
  for (const auto& [age, pause] : cases) EXPECT_EQ(next_try(policy, age, 0), pause) << age.count();
}

TEST(Retry, AddsUpToATenthByJitter) {
  const RetryPolicy policy{10s, 600s, 72h, {}};
  EXPECT_EQ(next_try(policy, 0s, 0.5), 10500ms);
  EXPECT_EQ(next_try(policy, 0s, 1), 11s);
  EXPECT_EQ(next_try(policy, 1h, 1), 660s);
  EXPECT_EQ(next_try(policy, 0s, 7), 11s) << "never more than a tenth";
  EXPECT_EQ(next_try(policy, 0s, -7), 10s) << "never less than the pause";
}

TEST(Retry, GivesUpWhenTheAlertIsTooOld) {
  const RetryPolicy policy{10s, 600s, 1h, {}};
  EXPECT_TRUE(next_try(policy, 1h, 0));
  EXPECT_FALSE(next_try(policy, 1h + 1ms, 0));
}

TEST(Retry, HoldsRetryMaxWhenRetryMinIsLarger) {
  EXPECT_EQ(next_try({60s, 10s, 1h, {}}, 20s, 0), 10s);
}

TEST(Retry, NeverPlansBeyondTheFarthestDueTime) {
  const RetryPolicy policy{10s, 600s, 72h, {}};
  EXPECT_EQ(farthest_due(policy), 660s);
  EXPECT_LE(*next_try(policy, 72h, 1), farthest_due(policy));
}

}  // namespace
}  // namespace alertspool
