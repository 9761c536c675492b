/// A spool in a SQLite file. Every write transaction, checkpoint and close of every process happens under one file
/// lock.

#include "base/fd.h"
#include "base/file_lock.h"
#include "store/connection.h"
#include "store/sql.h"
#include "store/url.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

namespace alertspool {

namespace {

/// PRAGMA application_id of a spool: "alsp". file(1) and we can tell it from any other SQLite file.
constexpr std::int64_t kApplicationId = 1634497392;

constexpr off_t kLongLog = 256L << 10;

constexpr Statement kBeginWrite{"BEGIN IMMEDIATE", "", "", ""};
constexpr Statement kBeginRead{"BEGIN", "", "", ""};
constexpr Statement kCommit{"COMMIT", "", "", ""};
constexpr Statement kReadApplicationId{"PRAGMA application_id", "", "", "i"};
constexpr Statement kReadJournalMode{"PRAGMA journal_mode", "", "", "s"};
constexpr Statement kBackup{"VACUUM INTO ?", "", "s", ""};
constexpr Statement kLastId{"SELECT coalesce(max(seq), 0) FROM sqlite_sequence", "", "", "i"};  // of one table
constexpr Statement kForgetLastId{"DELETE FROM sqlite_sequence", "", "", ""};
constexpr Statement kWriteLastId{"INSERT INTO sqlite_sequence (name, seq) VALUES ('alert', ?)", "", "i", ""};
constexpr Statement kCheckpoint{"PRAGMA wal_checkpoint(PASSIVE)", "", "", "iii"};

std::string reason() {
  return std::generic_category().message(errno);
}

/// Whether something has that name, be it a link that leads nowhere: where a spool may be, none is made. Throws
/// StoreError when that cannot be seen.
bool exists(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  throw StoreError("spool " + path + ": " + reason());
}

void sync_path(const std::string& path, int flags) {
  const Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) throw StoreError("sync " + path + ": " + reason());
}

class Sqlite final : public Connection {
public:
  Sqlite(StoreSettings settings, StoreUse use, const Clock& clock)
      : Connection(std::move(settings), use, clock),
        path_(file_of_url(settings_.url)),
        directory_(path_.substr(0, path_.rfind('/') + 1)) {}
  ~Sqlite() override { discard(); }

  void write(const char* doing, const std::vector<Value>& names, const Work& work) override;
  void read(const char* doing, const Work& work) override;
  void leave_open() noexcept override;
  bool init() override;
  std::int64_t now(Session& /*session*/) const override { return wall(); }
  bool become_deliverer() override;
  void take_over() override;
  void check_room() const override;
  void backup(const std::string& path) override;
  bool exclude_others(Session& /*session*/) override { return become_deliverer(); }  // the writers' lock is ours
  std::int64_t last_id(Session& session) const override { return integer(session.run(kLastId)[0][0]); }
  void raise_last_id(Session& session, std::int64_t id) const override;
  const Statement& claim_behind() const noexcept override { return sql::kClaimBehind; }

private:
  class Hold;

  Session& session();
  FileLock& lock();
  void transact(const char* doing, const Statement& begin, const Work& work);
  void open();
  void refuse_damaged() const;
  void make();
  void doubt_log() noexcept;
  std::string doubt() const { return path_ + "-unsynced"; }
  void give_to_owner(const std::string& file) const noexcept;
  void discard() noexcept;

  const std::string path_;
  const std::string directory_;
  std::optional<FileLock> lock_;
  std::unique_ptr<Session> session_;
  bool held_ = false;
  bool doubted_ = false;
};

/// The writers' lock for a scope; inside another Hold it does nothing.
class Sqlite::Hold {
public:
  /// Throws StoreError when the lock is not to be had in time.
  Hold(Sqlite& connection, const char* doing, milliseconds timeout)
      : connection_(connection), mine_(!connection.held_) {
    if (!mine_) return;
    try {
      connection.held_ = connection.lock().lock_writer(connection.steady() + timeout);
    } catch (const std::system_error& error) {
      throw StoreError(std::string(doing) + ": lock of spool " + connection.path_ + ": " + error.what());
    }
    if (!connection.held_) {
      throw StoreError(std::string(doing) + ": another process has held the lock of spool " + connection.path_ +
                       " for " + to_text(timeout));
    }
  }
  ~Hold() {
    if (!mine_) return;
    connection_.held_ = false;
    connection_.lock_->unlock_writer();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

private:
  Sqlite& connection_;
  bool mine_;
};

/// The last connection to close writes a checkpoint, so closing needs the writers' lock too. When it is not to be had,
/// the connection is left to the end of the process: the kernel drops its locks, and nothing is lost.
void Sqlite::discard() noexcept {
  if (!session_) return;
  try {
    const Hold hold(*this, "close spool", milliseconds(500));
    session_.reset();
  } catch (const StoreError&) {
    static_cast<void>(session_.release());
  }
}

void Sqlite::leave_open() noexcept {
  struct stat log {};
  [[gnu::used]] static const Session* left = nullptr;  // no leak: the end of the process is what it waits for
  if (stat((path_ + "-wal").c_str(), &log) == 0 && log.st_size <= kLongLog) left = session_.release();
}

FileLock& Sqlite::lock() {
  if (!lock_) {
    lock_.emplace(path_ + "-lock");
    give_to_owner(path_ + "-lock");
  }
  return *lock_;
}

/// After a failed fsync the kernel takes the lost pages for clean (fsync(2)): what the log still shows from the page
/// cache may not be on disk. Whoever opens the spool next, in this process or another, writes a checkpoint, which
/// writes and syncs it anew, so that "duplicate" is true again. With the power the page cache goes too.
void Sqlite::doubt_log() noexcept {
  doubted_ = true;
  const Fd file(::open(doubt().c_str(), O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0660));
  give_to_owner(doubt());
}

/// What root makes beside somebody else's spool must not lock that user out.
void Sqlite::give_to_owner(const std::string& file) const noexcept {
  struct stat directory {};
  if (geteuid() != 0 || stat(directory_.c_str(), &directory) != 0) return;
  static_cast<void>(lchown(file.c_str(), directory.st_uid, directory.st_gid) == 0);
}

void Sqlite::refuse_damaged() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) throw StoreError("spool " + path_ + ": " + reason());
  if (euidaccess(path_.c_str(), R_OK) != 0) throw StoreError("spool " + path_ + ": " + reason());
  if (!S_ISREG(info.st_mode)) throw StoreError("spool " + path_ + " is not a regular file");
  if (info.st_size == 0) {
    throw StoreError("spool " + path_ + " is empty (0 bytes), which no spool is: restore a backup, or move it away");
  }
}

void Sqlite::open() {
  refuse_damaged();
  auto session = std::make_unique<Session>("sqlite3", path_);
  // The lock of the writers comes first, so this waits for a stranger only: a shell, a backup tool.
  session->execute("PRAGMA busy_timeout = " + std::to_string(settings_.lock_timeout.count()));
  const std::vector<Row> id = session->run(kReadApplicationId);
  if (id.empty() || integer(id[0][0]) != kApplicationId) {
    throw StoreError("spool " + path_ + " is a SQLite file but no spool of alertspool");
  }
  check_version("spool " + path_, *session);
  // A restored backup is in another mode. Who only reads it may not write.
  if (use_ != StoreUse::read && text(session->run(kReadJournalMode)[0][0]) != "wal")
    session->execute("PRAGMA journal_mode = WAL");
  session->execute(use_ == StoreUse::deliver ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  session->execute("PRAGMA cache_size = -8000");
  session->execute("PRAGMA temp_store = MEMORY");  // else each batch opens a file for its statement journal
  if (use_ != StoreUse::read && (doubted_ || exists(doubt()))) {
    const std::vector<Row> done = session->run(kCheckpoint);
    if (done.empty() || integer(done[0][0]) != 0 || integer(done[0][1]) != integer(done[0][2])) {
      throw StoreError("spool " + path_ + ": cannot write back the log after a failed sync");
    }
    doubted_ = false;
    unlink(doubt().c_str());
  }
  session_ = std::move(session);
}

Session& Sqlite::session() {
  if (session_) return *session_;
  std::optional<Hold> hold;
  if (use_ != StoreUse::read) hold.emplace(*this, "open spool", settings_.lock_timeout);
  if (!exists(path_)) {
    if (exists(path_ + "-wal")) {
      throw StoreError("spool " + path_ + " is missing but its log " + path_ +
                       "-wal is there: restore the spool, or move the log away");
    }
    if (!makes()) {
      throw StoreError("there is no spool " + path_ + ": the receiver makes it, or `alertspool init`");
    }
    make();
  }
  try {
    open();
  } catch (const SqlError& error) {
    throw StoreError("open spool " + path_ + ": " + error.what());
  }
  return *session_;
}

/// A complete file under a temporary name, then rename: nobody ever sees half a spool.
/// REQUIRES: the writers' lock.
void Sqlite::make() {
  const std::string temporary = path_ + "-new";
  unlink(temporary.c_str());
  const Fd file(::open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0660));
  if (!file || fchmod(file.get(), 0660) != 0) throw StoreError("make spool " + temporary + ": " + reason());
  give_to_owner(temporary);
  try {
    Session session("sqlite3", temporary);
    session.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
    session.execute("BEGIN IMMEDIATE");
    for (const char* statement : sql::kCreate) session.execute(statement);
    session.run(sql::kWriteVersion, {sql::kSchemaVersion});
    session.execute("COMMIT");
    session.execute("PRAGMA journal_mode = WAL");
  } catch (const SqlError& error) {
    unlink(temporary.c_str());
    throw StoreError("make spool " + temporary + ": " + error.what());
  }
  sync_path(temporary, O_RDWR);
  if (rename(temporary.c_str(), path_.c_str()) != 0) throw StoreError("make spool " + path_ + ": " + reason());
  sync_path(directory_, O_RDONLY | O_DIRECTORY);
}

bool Sqlite::init() {
  if (exists(path_) || exists(path_ + "-wal")) return false;
  const Hold hold(*this, "make spool", settings_.lock_timeout);
  if (exists(path_)) return false;
  make();
  return true;
}

bool Sqlite::become_deliverer() {
  try {
    return lock().try_lock_deliverer();
  } catch (const std::system_error& error) {
    throw StoreError("lock of spool " + path_ + ": " + error.what());
  }
}

void Sqlite::take_over() {
  write("take over", {}, [&](Session& session) { session.run(sql::kEndLeases, {now(session), "", INT64_MAX}); });
}

void Sqlite::check_room() const {
  struct statvfs room {};
  if (statvfs(directory_.c_str(), &room) != 0) throw StoreError("spool directory " + directory_ + ": " + reason());
  if ((room.f_flag & ST_RDONLY) != 0) throw StoreError("spool directory " + directory_ + " is mounted read-only");
  const auto left = static_cast<std::int64_t>(room.f_bavail) * static_cast<std::int64_t>(room.f_frsize);
  if (left < settings_.free_space_floor) {
    throw StoreFull("spool directory " + directory_ + " has " + std::to_string(left >> 20) +
                    " MiB left, the floor is " + std::to_string(settings_.free_space_floor >> 20) + " MiB");
  }
}

void Sqlite::transact(const char* doing, const Statement& begin, const Work& work) {
  bool wrote = false;
  try {
    Session& connected = session();
    connected.run(begin);
    wrote = held_;
    work(connected);
    connected.run(kCommit);
  } catch (const SqlError& error) {
    if (wrote) doubt_log();
    discard();
    throw StoreError(std::string(doing) + " in spool " + path_ + ": " + error.what());
  } catch (...) {
    discard();
    throw;
  }
}

void Sqlite::write(const char* doing, const std::vector<Value>& /*names*/, const Work& work) {
  const Hold hold(*this, doing, settings_.lock_timeout);
  transact(doing, kBeginWrite, work);
}

void Sqlite::read(const char* doing, const Work& work) {
  transact(doing, kBeginRead, work);
}

void Sqlite::raise_last_id(Session& session, std::int64_t id) const {
  const std::int64_t last = std::max(id, last_id(session));
  session.run(kForgetLastId);
  session.run(kWriteLastId, {last});
}

void Sqlite::backup(const std::string& path) {
  // Not in a transaction: VACUUM INTO makes its own, a reader's.
  try {
    session().run(kBackup, {path});
  } catch (const SqlError& error) {
    throw StoreError("backup to " + path + ": " + error.what());
  }
}

}  // namespace

std::unique_ptr<Connection> make_sqlite(StoreSettings settings, StoreUse use, const Clock& clock) {
  return std::make_unique<Sqlite>(std::move(settings), use, clock);
}

}  // namespace alertspool
