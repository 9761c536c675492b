/// Connection: one spool and how to write to it: opening and making it, the lock of the writers, transactions, room.
/// What is particular to SQLite is here and nowhere else.

#pragma once

#include "base/file_lock.h"
#include "store/session.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace alertspool {

class Connection {
public:
  Connection(StoreSettings settings, StoreUse use, const Clock& clock);
  ~Connection();

  /// Connects when not connected. Throws StoreError.
  Session& session();

  /// One transaction under the writers' lock: all of `work` or nothing. `doing` begins the message when it fails
  /// (`store alerts`). Throws StoreError; the session is gone then.
  void write(const char* doing, const std::function<void(Session&)>& work);
  /// A consistent view for several reads. Throws StoreError likewise.
  void read(const char* doing, const std::function<void(Session&)>& work);

  bool init();
  bool try_lock_deliverer();
  /// Throws StoreFull when the file system is at its floor, StoreError when it is read-only.
  void check_room() const;

  const StoreSettings& settings() const noexcept { return settings_; }
  const std::string& path() const noexcept { return path_; }
  std::int64_t now() const noexcept { return clock_.wall().time_since_epoch().count(); }
  SteadyTime steady() const noexcept { return clock_.steady(); }

private:
  class Hold;

  FileLock& lock();
  void open();
  void refuse_damaged() const;
  void make();
  void give_to_owner(const std::string& file) const noexcept;
  void discard() noexcept;

  StoreSettings settings_;
  StoreUse use_;
  const Clock& clock_;
  std::string path_;
  std::string directory_;
  std::optional<FileLock> lock_;
  std::unique_ptr<Session> session_;
  bool held_ = false;
  bool sync_failed_ = false;
};

}  // namespace alertspool
