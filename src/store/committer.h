/// Committer: group commit. Requests are parked, not threads: whoever has a callback to store queues it and goes on;
/// one thread writes all that are queued in one transaction and then answers them. The batch that gathers while the
/// last one syncs costs nothing.
///
/// Each put() is answered exactly once: by the committer's thread after COMMIT (or its failure), or by expire() when
/// its deadline passed first. A callback that expires in the queue stays there: when its row lands after all, the
/// sender's retry is a duplicate.

#pragma once

#include "base/time.h"
#include "store/types.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace alertspool {

class Store;
class WakeSender;

/// Not stored, or not known to be stored.
struct NotStored {
  std::string reason;
};
using PutResult = std::variant<Put, NotStored>;

class Committer {
public:
  /// Called on the committer's thread or on the one that calls expire(). Must not throw.
  using Done = std::function<void(const PutResult&)>;

  /// Starts the thread. `store` is used by that thread alone. `on_commit` is called on it after each batch and its
  /// answers, with the number of alerts that were new: the place to wake the deliverer and to write collected log
  /// lines.
  Committer(Store& store, const Clock& clock, std::function<void(std::size_t stored)> on_commit);
  /// stop(), then waits.
  ~Committer();

  /// Queues it. Answers NotStored at once when too much is queued (64 MiB or 100,000 callbacks).
  void put(Incoming incoming, SteadyTime deadline, Done done);

  /// Adds to the refusal counters with one of the next batches (within a second).
  void count_refusal(const RefusalCount& count);
  /// Announces the process with the next batch.
  void announce(ProcessInfo process);

  /// Answers all whose deadline has passed with NotStored. The spool is not healthy then: its thread may be stuck.
  void expire(SteadyTime now);

  /// Whether the spool can be written as far as one knows without writing: the last batch was stored in time and the
  /// file system has room. For load balancers' probes; `reason` when not. While it is not, the thread tries a write
  /// each second, so that a healed spool is noticed without traffic.
  bool healthy(std::string* reason) const;

  /// Stores what is queued, answers it, ends the thread; waits for that until `deadline`, then answers the rest
  /// NotStored. False when the thread is still stuck in the database: the caller ends the process without more ado.
  bool stop(SteadyTime deadline);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alertspool
