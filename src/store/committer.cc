#include "store/committer.h"

#include "base/log.h"
#include "store/store.h"

#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace alertspool {

namespace {

constexpr std::size_t kMostQueued = 100'000;
constexpr std::size_t kMostQueuedBytes = 64UL << 20;  // of what a sender makes long
/// One transaction takes no more, so that the first of a flood is not held up by the last.
constexpr std::size_t kMostTogether = 512;
constexpr milliseconds kTick{1000};
/// A disk that lets a commit wait for longer is slow: see gather().
constexpr milliseconds kSlowDisk{2};
constexpr const char* kTooLate = "not stored in time";

struct Waiting {
  SteadyTime deadline;
  Committer::Done done;  ///< empty once answered
};
struct Parked {
  Incoming incoming;
  Waiting waiting;
};

std::size_t size_of(const Callback& callback) noexcept {
  return callback.body.size() + callback.query.size();
}

std::chrono::nanoseconds thread_time() noexcept {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// One entry for each reason, so that a flood costs no memory.
void add_up(std::vector<RefusalCount>& counts, const RefusalCount& more) {
  const auto same = std::find_if(counts.begin(), counts.end(), [&](const RefusalCount& count) {
    return count.reason == more.reason && count.allowed_address == more.allowed_address;
  });
  if (same == counts.end()) {
    counts.push_back(more);
  } else {
    const std::int64_t sum = same->count + more.count;
    *same = more;
    same->count = sum;
  }
}

}  // namespace

struct Committer::Impl {
  Impl(Store& store_, const Clock& clock_, std::function<void(std::size_t)> on_commit_)
      : store(store_), clock(clock_), on_commit(std::move(on_commit_)) {}

  void run();
  void gather(std::unique_lock<std::mutex>& guard);
  void store_batch();
  std::vector<Put> put(const std::vector<Incoming>& batch);
  void store_side();
  void answer(std::vector<Waiting>& waiting, const std::vector<Put>* puts);
  void set_problem(const std::string& text);
  bool side_work() const { return !refusals.empty() || process || !problem.empty(); }

  Store& store;
  const Clock& clock;
  const std::function<void(std::size_t)> on_commit;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Parked> queue;  // guarded by mutex, like all below
  std::size_t queued_bytes = 0;
  std::size_t wake_at = 1;          ///< so many in the queue wake the committer
  std::vector<Waiting> committing;  ///< of the batch that is being written
  std::vector<RefusalCount> refusals;
  std::optional<ProcessInfo> process;
  std::string problem;  ///< why the last write failed; empty: it did not
  bool stopping = false;
  bool ended = false;
  std::chrono::nanoseconds disk{0};  ///< how long a commit waits for it, of late at least; the thread's own, as below
  SteadyTime committed{};
  std::size_t there = 0;  ///< callbacks, at the end of that commit: of its batch and behind it
  std::thread thread;
};

void Committer::Impl::set_problem(const std::string& text) {
  const std::lock_guard guard(mutex);
  if (problem == text) return;
  if (text.empty()) {
    log::notice("spool-healed", {});
  } else {
    log::error("spool-failed", {{"reason", text}, {"then", "answering 503, the sender tries again"}});
  }
  problem = text;
}

/// Each answer is given by whoever takes its `done` under the mutex: here or in expire().
void Committer::Impl::answer(std::vector<Waiting>& waiting, const std::vector<Put>* puts) {
  std::vector<Waiting> mine;
  std::string why;
  {
    const std::lock_guard guard(mutex);
    mine.swap(waiting);
    why = problem;
  }
  for (std::size_t i = 0; i < mine.size(); ++i) {
    if (!mine[i].done) continue;
    mine[i].done(puts != nullptr ? PutResult((*puts)[i]) : PutResult(NotStored{why}));
  }
}

/// While a slow disk syncs few, many gather, and the few that come again find it busy with them: half of all commits
/// would be for few. So those who were there are waited for, half a sync at most.
void Committer::Impl::gather(std::unique_lock<std::mutex>& guard) {
  if (disk < kSlowDisk) return;
  wake_at = there;
  changed.wait_until(guard, committed + disk / 2, [&] { return stopping || queue.size() >= there; });
  wake_at = 1;
}

std::vector<Put> Committer::Impl::put(const std::vector<Incoming>& batch) {
  const SteadyTime begun = clock.steady();
  const auto used = thread_time();
  std::vector<Put> puts = store.put(batch);
  committed = clock.steady();
  // The least of late: other processes that use the processor delay one commit or the other, a slow disk all of them.
  disk = std::min(committed - begun - (thread_time() - used), disk + disk / 8 + std::chrono::microseconds(100));
  const std::lock_guard guard(mutex);
  there = batch.size() + queue.size();
  return puts;
}

void Committer::Impl::store_batch() {
  std::vector<Incoming> batch;
  {
    const std::lock_guard guard(mutex);
    const auto end = queue.begin() + static_cast<std::ptrdiff_t>(std::min(queue.size(), kMostTogether));
    for (auto parked = queue.begin(); parked != end; ++parked) {
      queued_bytes -= size_of(parked->incoming.callback);
      batch.push_back(std::move(parked->incoming));
      committing.push_back(std::move(parked->waiting));
    }
    queue.erase(queue.begin(), end);
  }
  if (batch.empty()) return;
  std::size_t stored = 0;
  try {
    const std::vector<Put> puts = put(batch);
    set_problem("");
    for (const Put& put : puts) stored += put.duplicate ? 0 : 1;
    answer(committing, &puts);
  } catch (const StoreClosed& error) {
    set_problem(error.what());
    {
      // Soon there will be another spool. Answered at once, a sender that does not pause would have given up by then.
      std::unique_lock guard(mutex);
      changed.wait_for(guard, kTick, [&] { return stopping; });
    }
    answer(committing, nullptr);
  } catch (const std::exception& error) {
    set_problem(error.what());
    answer(committing, nullptr);
  }
  on_commit(stored);
}

/// What is no callback: refusals, the process' own row, and a write to see whether a failed spool has healed.
void Committer::Impl::store_side() {
  std::vector<RefusalCount> counts;
  std::optional<ProcessInfo> about;
  bool failed = false;
  {
    const std::lock_guard guard(mutex);
    counts.swap(refusals);
    about.swap(process);
    failed = !problem.empty();
  }
  try {
    store.count_refusals(counts);
    counts.clear();
    if (about) store.announce(*about);
    if (failed) {
      store.check_room();
      store.probe();
      set_problem("");
    }
  } catch (const std::exception& error) {
    set_problem(error.what());
    const std::lock_guard guard(mutex);
    for (const RefusalCount& count : counts) add_up(refusals, count);
    if (about && !process) process = about;
  }
}

void Committer::Impl::run() {
  SteadyTime next_side = clock.steady();
  std::unique_lock guard(mutex);
  while (true) {
    const auto awake = [&] { return stopping || !queue.empty(); };
    if (!awake() && side_work()) {
      changed.wait_for(guard, kTick, awake);
    } else if (!awake()) {
      changed.wait(guard, [&] { return awake() || side_work(); });
    }
    if (!queue.empty()) gather(guard);
    const bool last = stopping && queue.empty();
    const bool side = side_work() && (last || clock.steady() >= next_side);
    guard.unlock();
    store_batch();
    if (side) {
      store_side();
      next_side = clock.steady() + kTick;
    }
    guard.lock();
    if (last && queue.empty()) break;
  }
  ended = true;
  changed.notify_all();
}

Committer::Committer(Store& store, const Clock& clock, std::function<void(std::size_t)> on_commit)
    : impl_(std::make_unique<Impl>(store, clock, std::move(on_commit))) {
  impl_->thread = std::thread([this] { impl_->run(); });
}

Committer::~Committer() {
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

void Committer::put(Incoming incoming, SteadyTime deadline, Done done) {
  std::unique_lock guard(impl_->mutex);
  if (impl_->ended || impl_->queue.size() >= kMostQueued || impl_->queued_bytes >= kMostQueuedBytes) {
    guard.unlock();
    return done(NotStored{"too many callbacks wait to be stored"});
  }
  impl_->queued_bytes += size_of(incoming.callback);
  impl_->queue.push_back({std::move(incoming), {deadline, std::move(done)}});
  const bool enough = impl_->queue.size() == impl_->wake_at;
  guard.unlock();
  if (enough) impl_->changed.notify_one();
}

void Committer::count_refusal(const RefusalCount& count) {
  const std::lock_guard guard(impl_->mutex);
  add_up(impl_->refusals, count);
  impl_->changed.notify_one();
}

void Committer::announce(ProcessInfo process) {
  const std::lock_guard guard(impl_->mutex);
  impl_->process = std::move(process);
  impl_->changed.notify_one();
}

void Committer::expire(SteadyTime now) {
  std::vector<Done> expired;
  {
    const std::lock_guard guard(impl_->mutex);
    const auto look = [&](Waiting& waiting) {
      if (waiting.done && waiting.deadline <= now) expired.push_back(std::exchange(waiting.done, nullptr));
    };
    for (Parked& parked : impl_->queue) look(parked.waiting);
    for (Waiting& waiting : impl_->committing) look(waiting);
  }
  if (!expired.empty()) impl_->set_problem(kTooLate);
  for (const Done& done : expired) done(NotStored{kTooLate});
}

bool Committer::healthy(std::string* reason) const {
  try {
    impl_->store.check_room();
  } catch (const StoreError& error) {
    *reason = error.what();
    return false;
  }
  const std::lock_guard guard(impl_->mutex);
  *reason = impl_->problem;
  return impl_->problem.empty();
}

bool Committer::stop(SteadyTime deadline) {
  std::unique_lock guard(impl_->mutex);
  impl_->stopping = true;
  impl_->changed.notify_all();
  const bool ended = impl_->changed.wait_until(guard, deadline, [&] { return impl_->ended; });
  guard.unlock();
  if (!ended) expire(SteadyTime::max());
  return ended;
}

}  // namespace alertspool
