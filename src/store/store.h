/// Store: the promise. What put() returned for is on stable storage; every stored alert is claimed until it is marked
/// delivered, failed or dropped; deliveries of one alarm and one action are claimed in the order of their ids.
///
/// One Store is one connection and belongs to one thread. Two databases, one class: the SQL is in sql.h, what differs
/// is in sqlite.cc and postgres.cc. Every function that writes is one transaction: it happened whole or not at all.
///
/// All functions throw StoreError when the spool cannot be read or written; the connection is then thrown away and the
/// next call opens a new one, so a healed disk needs no restart. After StoreError from put() the alerts may or may not
/// be stored: the sender's retry is then a duplicate.

#pragma once

#include "base/time.h"
#include "store/types.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace alertspool {

/// What failed, on what, why. Holds nothing of an alert.
class StoreError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The spool has no room (max-waiting, free space): 503, nothing is wrong with the database.
class StoreFull : public StoreError {
public:
  using StoreError::StoreError;
};

/// The spool was moved, or is not complete yet (copy.h).
class StoreClosed : public StoreError {
public:
  using StoreError::StoreError;
};

struct StoreSettings {
  std::string url = "sqlite:/var/lib/alertspool/spool.db";
  std::int64_t max_waiting = 1'000'000;        ///< unfinished deliveries
  std::int64_t free_space_floor = 64LL << 20;  ///< bytes that stay free on the spool's file system
  milliseconds lock_timeout{4000};             ///< how long a write waits for other writers, or for the server at all
};

/// Who opens it and for what.
enum class StoreUse {
  receive,  ///< commits are synced: a 200 depends on them. Makes the spool when there is none
  deliver,  ///< marks are not synced one by one: the worst case after a power cut is "delivered again". Never makes it
  read,     ///< list, show, status: the file may even belong to somebody else. Never makes it
  operate,  ///< retry, drop, test: synced, never makes it
  drain,    ///< source of a copy: synced, never makes it; may be closed
  fill,     ///< target of a copy: synced, makes it when there is none; may be closed
};

class Store {
public:
  /// Checks the settings only; the first call connects. Throws StoreError for a URL that is no store.
  Store(StoreSettings settings, StoreUse use, const Clock& clock);
  ~Store();

  /// Connects now when not connected. A missing spool is made when `use` is receive.
  void connect();

  /// Makes a new spool (`alertspool init`). False when there is one already.
  bool init();

  /// Throws StoreFull when the file system is at its floor, StoreError when it is read-only or gone. PostgreSQL: knows
  /// nothing of it. May be called by any thread.
  void check_room() const;

  /// One write that changes nothing. Throws StoreError.
  void probe();

  /// For a process that is about to end: closing is left to its end, and the log to the next process. Who closes last
  /// writes the log back and syncs twice, which a CGI program would do for each callback. A log that has become long is
  /// written back all the same: who opens the spool next reads all of it.
  void leave_open() noexcept;

  // ---- receiver

  /// Stores all in one transaction; results in the same order. Two with the same digest: the second is a duplicate.
  /// Followers of each alarm are added to its actions, and the alarm's row is brought up to date, in order.
  std::vector<Put> put(std::span<const Incoming> batch);

  /// Adds to the counters of refusals. REQUIRES: each reason (and allowed_address) once.
  void count_refusals(std::span<const RefusalCount> counts);

  // ---- deliverer

  /// True: this process is the deliverer of this spool, or one of them. PostgreSQL: always true.
  bool become_deliverer();
  /// Once after become_deliverer(). SQLite: nobody else can be running, so all that is `running` is pending again.
  void take_over();

  /// Up to `limit` deliveries of that action that are due, oldest first, with those that follow in the same lane, now
  /// running and leased to `owner`. Leases that ended are due. `farthest`: due times further ahead than this count as
  /// due (the clock was set back). Where hundreds wait that no claim has looked at yet it may take none of what is due.
  Claims claim(const std::string& action, int limit, const Lease& lease, milliseconds farthest);

  /// Records how they ended; the next of each lane becomes due. One whose lease was lost is ignored. `released`:
  /// pending again as if never claimed, the try does not count. Returns how many were recorded.
  std::size_t mark(std::span<const Mark> marks, const Lease& lease);

  /// `held`: all that the owner has claimed and not marked. What else is theirs was claimed by a call whose answer was
  /// lost: it is due again, as if never claimed.
  void renew(std::span<const Held> held, const Lease& lease);
  /// When the next delivery of one of these actions is due, or another's lease ends; nullopt when nothing waits.
  std::optional<WallTime> next_due(const std::vector<std::string>& actions, const Lease& lease);

  /// At most `limit` alerts that ended and were received before `before`, and undecodable ones beyond the newest 1,000;
  /// by id.
  /// The caller logs the failed ones, then purges all.
  std::vector<Expired> expired(WallTime before, int limit);
  /// Deletes them with their deliveries and attempts, and those of their alarms that were not heard of since `before`.
  /// One that waits again meanwhile stays.
  void purge(std::span<const Expired> alerts, WallTime before);

  // ---- processes

  /// "I am alive", with what `status` shows about it. At start, then at least every 10 s.
  void announce(const ProcessInfo& process);
  void leave(const ProcessInfo& process) noexcept;

  // ---- operator

  /// Calls `each` for every alert that passes, newest first, until it returns false. No transaction is open meanwhile.
  void list(const Filter& filter, const std::function<bool(const Record&)>& each);
  std::optional<Record> show(std::int64_t id);
  /// Waiting and failed deliveries of these alerts (of one action, when named) become due now. Returns how many.
  std::size_t retry(std::span<const std::int64_t> alert_ids, const std::string& action);
  /// Waiting and failed deliveries are put away; undecodable ones too. Running ones are not touched. Returns how many.
  std::size_t drop(std::span<const std::int64_t> alert_ids, const std::string& action);
  Status status();
  /// A consistent copy while all runs; `path` must not exist. PostgreSQL: throws, pg_dump does it.
  void backup(const std::string& path);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alertspool
