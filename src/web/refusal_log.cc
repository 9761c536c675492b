#include "web/refusal_log.h"

#include "base/log.h"

#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace alertspool {

namespace {

constexpr std::chrono::minutes kSilence{1};
constexpr std::size_t kMostPairs = 1000;

struct Entry {
  Refused last;
  SteadyTime written;
  std::uint64_t left_out = 0;
};

void write(const Entry& entry) {
  const auto level = entry.last.reason == "undecodable" ? log::Level::error : log::Level::warning;
  log::write(level, "refuse",
             {{"reason", entry.last.reason},
              {"addr", entry.last.address},
              {"detail", entry.last.detail},
              {"left_out", std::to_string(entry.left_out)}});
}

}  // namespace

struct RefusalLog::Impl {
  using Entries = std::list<Entry>;

  explicit Impl(const Clock& c) : clock(c) {}

  /// A line now, and silence for a minute: the newest written is the last of the list.
  void speak(Entries::iterator entry, SteadyTime now) {
    write(*entry);
    entry->left_out = 0;
    entry->written = now;
    entries.splice(entries.end(), entries, entry);
  }

  /// What was left out is told before it is forgotten.
  void forget_oldest() {
    const Entry& oldest = entries.front();
    if (oldest.left_out > 0) write(oldest);
    by_pair.erase({oldest.last.reason, oldest.last.address});
    entries.pop_front();
  }

  const Clock& clock;
  std::mutex mutex;
  Entries entries;  ///< the one whose line is oldest comes first
  std::map<std::pair<std::string, std::string>, Entries::iterator> by_pair;
};

RefusalLog::RefusalLog(const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
RefusalLog::~RefusalLog() = default;

void RefusalLog::refused(const Refused& refused) {
  const std::lock_guard lock(impl_->mutex);
  const SteadyTime now = impl_->clock.steady();
  const auto [at, is_new] = impl_->by_pair.try_emplace({refused.reason, refused.address}, impl_->entries.end());
  if (is_new) at->second = impl_->entries.insert(impl_->entries.end(), Entry{refused, now});
  Entry& entry = *at->second;
  entry.last = refused;
  if (is_new || now - entry.written >= kSilence) {
    impl_->speak(at->second, now);
  } else {
    ++entry.left_out;
  }
  if (impl_->entries.size() > kMostPairs) impl_->forget_oldest();
}

void RefusalLog::flush(bool all) {
  const std::lock_guard lock(impl_->mutex);
  const SteadyTime now = impl_->clock.steady();
  for (auto count = impl_->entries.size(); count > 0; --count) {
    const Entry& oldest = impl_->entries.front();
    if (!all && now - oldest.written < kSilence) return;
    if (oldest.left_out > 0) {
      impl_->speak(impl_->entries.begin(), now);
    } else {
      impl_->forget_oldest();
    }
  }
}

}  // namespace alertspool
