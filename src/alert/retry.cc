#include "alert/retry.h"

#include <algorithm>

namespace alertspool {

std::optional<milliseconds> next_try(const RetryPolicy& policy, milliseconds age, double jitter) noexcept {
  if (age > policy.give_up_after) return std::nullopt;
  // Not std::clamp: it is undefined when somebody configures retry_min above retry_max.
  const milliseconds pause = std::min(std::max(age, policy.retry_min), policy.retry_max);
  const double more = static_cast<double>((pause / 10).count()) * std::clamp(jitter, 0.0, 1.0);
  return pause + milliseconds(static_cast<milliseconds::rep>(more));
}

milliseconds farthest_due(const RetryPolicy& policy) noexcept {
  return policy.retry_max + policy.retry_max / 10;
}

}  // namespace alertspool
