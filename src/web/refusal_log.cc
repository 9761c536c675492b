#include "web/refusal_log.h"

#include "base/log.h"

namespace alertspool {

namespace {

constexpr std::chrono::minutes kSilence{1};
constexpr std::size_t kMostPairs = 1000;

}  // namespace

void RefusalLog::Entry::write() const {
  log::write(last.reason == "undecodable" ? log::Level::error : log::Level::warning, "refuse",
             {{"reason", last.reason},
              {"addr", last.address},
              {"detail", last.detail},
              {"left_out", std::to_string(left_out)}});
}

/// A line now, and silence for a minute: the newest written is the last of the list.
void RefusalLog::speak(Entries::iterator entry, SteadyTime now) {
  entry->write();
  entry->left_out = 0;
  entry->written = now;
  entries_.splice(entries_.end(), entries_, entry);
}

/// What was left out is told before it is forgotten.
void RefusalLog::forget_oldest() {
  const Entry& oldest = entries_.front();
  if (oldest.left_out > 0) oldest.write();
  by_pair_.erase({oldest.last.reason, oldest.last.address});
  entries_.pop_front();
}

void RefusalLog::refused(const Refused& refused) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  const auto [at, is_new] = by_pair_.try_emplace({refused.reason, refused.address}, entries_.end());
  if (is_new) at->second = entries_.insert(entries_.end(), Entry{refused, now});
  Entry& entry = *at->second;
  entry.last = refused;
  if (is_new || now - entry.written >= kSilence)
    speak(at->second, now);
  else
    ++entry.left_out;
  if (entries_.size() > kMostPairs) forget_oldest();
}

void RefusalLog::flush(bool all) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (auto count = entries_.size(); count > 0; --count) {
    const Entry& oldest = entries_.front();
    if (!all && now - oldest.written < kSilence) return;
    if (oldest.left_out > 0)
      speak(entries_.begin(), now);
    else
      forget_oldest();
  }
}

}  // namespace alertspool
