/// When a delivery is tried again, and when it is given up.

#pragma once

#include "base/time.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace alertspool {

struct RetryPolicy {
  milliseconds retry_min{10'000};
  milliseconds retry_max{600'000};
  milliseconds give_up_after{3LL * 24 * 3600 * 1000};
  std::vector<int> give_up_exit;
};

/// The pause before the next try: the alert's age, between retry_min and retry_max, and up to a tenth more by `jitter`
/// (0 to 1), so that a thousand alerts that failed together do not come back together. nullopt: older than
/// give_up_after, give up. A negative age (the clock was set back) counts as none.
inline std::optional<milliseconds> next_try(const RetryPolicy& policy, milliseconds age, double jitter) noexcept {
  if (age > policy.give_up_after) return std::nullopt;
  // Not std::clamp: it is undefined when somebody configures retry_min above retry_max.
  const milliseconds pause = std::min(std::max(age, policy.retry_min), policy.retry_max);
  return pause + std::chrono::floor<milliseconds>(std::clamp(jitter, 0.0, 1.0) * (pause / 10));
}

/// No sane due time lies further ahead than this; one that does was written before the clock was set back.
inline milliseconds farthest_due(const RetryPolicy& policy) noexcept {
  return policy.retry_max + policy.retry_max / 10;
}

}  // namespace alertspool
