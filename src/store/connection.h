/// Connection: one spool and how to read and write it. What is particular to a database is in its own file and nowhere
/// else: sqlite.cc, postgres.cc.
///
/// Functions that are not noexcept throw StoreError; after that the session is gone and the next call opens another
/// one.

#pragma once

#include "store/session.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <string>

namespace alertspool {

class Connection {
public:
  using Work = std::function<void(Session&)>;

  /// To what the URL names.
  static std::unique_ptr<Connection> make(StoreSettings settings, StoreUse use, const Clock& clock);
  Connection(StoreSettings settings, StoreUse use, const Clock& clock)
      : settings_(std::move(settings)), use_(use), clock_(clock) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// One transaction: all of `work` or nothing. `doing` begins the message when it fails (`store alerts`). Others that
  /// write with one of the same names wait until it has ended. REQUIRES: `names` ascending, each once.
  virtual void write(const char* doing, const std::vector<Value>& names, const Work& work) = 0;
  /// A consistent view for several reads.
  virtual void read(const char* doing, const Work& work) = 0;

  /// The store's time, in ms since 1970: due times, leases and processes are told by it. REQUIRES: inside `work`.
  virtual std::int64_t now(Session& session) const = 0;

  /// As Store::leave_open().
  virtual void leave_open() noexcept = 0;
  virtual bool init() = 0;
  virtual bool become_deliverer() = 0;
  virtual void take_over() = 0;
  virtual void check_room() const = 0;
  virtual void backup(const std::string& path) = 0;

  /// Until the transaction has ended nobody else writes to the tables that a copy takes. False: a deliverer is alive.
  /// REQUIRES: inside write().
  virtual bool exclude_others(Session& session) = 0;
  /// The highest id that an alert ever had.
  virtual std::int64_t last_id(Session& session) const = 0;
  /// The next alert gets a higher id than this one.
  virtual void raise_last_id(Session& session, std::int64_t id) const = 0;

  /// Of the statements the one that differs.
  virtual const Statement& claim_behind() const noexcept = 0;

  const StoreSettings& settings() const noexcept { return settings_; }
  std::int64_t wall() const noexcept { return clock_.wall().time_since_epoch().count(); }
  SteadyTime steady() const noexcept { return clock_.steady(); }

protected:
  bool makes() const noexcept { return use_ == StoreUse::receive || use_ == StoreUse::fill; }
  bool copies() const noexcept { return use_ == StoreUse::drain || use_ == StoreUse::fill; }
  /// Throws StoreError unless this program knows the schema, and the spool is open where `use` needs that.
  void check_version(const std::string& spool, Session& session) const;

  const StoreSettings settings_;
  const StoreUse use_;
  const Clock& clock_;
};

/// Why nobody may use a spool whose version is kUnfinished or kMoved; `peer` is the other one of that copy.
std::string why_closed(const std::string& spool, std::int64_t version, const std::string& peer);

std::unique_ptr<Connection> make_sqlite(StoreSettings settings, StoreUse use, const Clock& clock);
std::unique_ptr<Connection> make_postgres(StoreSettings settings, StoreUse use, const Clock& clock);

}  // namespace alertspool
