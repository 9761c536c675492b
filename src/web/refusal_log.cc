#include "web/refusal_log.h"

#include "base/log.h"

#include <algorithm>

namespace alertspool {

namespace {

constexpr std::chrono::minutes kSilence{1};
constexpr std::size_t kMostPairs = 1000;

}  // namespace

/// A line now, and silence for a minute.
void RefusalLog::Entry::write(SteadyTime now) {
  log::write(last.reason == "undecodable" ? log::Level::error : log::Level::warning, "refuse",
             {{"reason", last.reason},
              {"addr", last.address},
              {"detail", last.detail},
              {"left_out", std::to_string(std::exchange(left_out, 0))}});
  written = now;
}

void RefusalLog::refused(const Refused& refused) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  const auto [at, is_new] = entries_.try_emplace({refused.reason, refused.address});
  Entry& entry = at->second;
  entry.last = refused;
  if (is_new || now - entry.written >= kSilence)
    entry.write(now);
  else
    ++entry.left_out;
  if (entries_.size() <= kMostPairs) return;
  const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& pair) { return pair.second.written; });
  if (oldest->second.left_out > 0) oldest->second.write(now);  // told before it is forgotten
  entries_.erase(oldest);
}

void RefusalLog::flush(bool all) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    const bool due = all || now - entry.written >= kSilence, told = entry.left_out == 0;
    if (due && !told) entry.write(now);
    at = due && told ? entries_.erase(at) : std::next(at);
  }
}

}  // namespace alertspool
