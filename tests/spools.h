/// The databases that the store's promises are tested on: a SQLite file, and a schema on a PostgreSQL server that the
/// first test of it starts (tests/postgres) and that ends with this program. The store's time is the test's.

#pragma once

#include "base/fd.h"
#include "fake_clock.h"
#include "store/session.h"
#include "store/store.h"
#include "temporary_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

namespace alertspool {

class PostgresServer {
public:
  static PostgresServer& get() {
    static PostgresServer server;
    return server;
  }

  bool runs() const noexcept { return runs_; }
  std::string directory() const { return directory_.path(); }
  /// Of the database that only tests look into.
  std::string url(const std::string& more = "") const {
    return "postgresql://postgres@/postgres?host=" + directory() + more;
  }
  /// Runs SQL on a connection of its own.
  void execute(const std::string& sql) const { Session("postgresql", url()).execute(sql); }

private:
  PostgresServer() {
    Pipe input = make_pipe(), output = make_pipe();
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input.read.get(), 0);
    posix_spawn_file_actions_adddup2(&files, output.write.get(), 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    std::string program = "tests/postgres", where = directory();
    char* arguments[] = {program.data(), where.data(), nullptr};
    pid_t pid = 0;
    posix_spawn(&pid, program.c_str(), &files, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    lifetime_ = std::move(input.write);
    output.write.reset();
    output_ = std::move(output.read);
    char ready[6];
    runs_ = read(output_.get(), ready, sizeof ready) == sizeof ready;
    if (!runs_) std::cerr << "no PostgreSQL here: tests/postgres cannot run one\n";
  }
  ~PostgresServer() {
    lifetime_.reset();
    char end = 0;
    (void)!read(output_.get(), &end, 1);
  }

  TemporaryDirectory directory_;
  Fd lifetime_;
  Fd output_;
  bool runs_ = false;
};

/// A spool that is not made yet.
class TestSpool {
public:
  /// `kind` is `sqlite` or `postgresql`.
  TestSpool(const std::string& kind, FakeClock& clock) : is_server_(kind == "postgresql") {
    settings.url = "sqlite:" + directory.path("spool.db");
    settings.lock_timeout = milliseconds(200);
    settings.free_space_floor = 0;
    if (is_server_ && PostgresServer::get().runs()) make_schema(clock);
  }
  ~TestSpool() {
    if (session_) session_->execute("DROP SCHEMA " + schema_ + " CASCADE");
  }
  bool missing() const { return is_server_ && !session_; }
  /// Of the server.
  Session& session() { return *session_; }
  void execute(const std::string& sql) {
    if (is_server_)
      session_->execute(sql);
    else
      Session("sqlite3", directory.path("spool.db")).execute(sql);
  }
  const std::string& schema() const { return schema_; }

  TemporaryDirectory directory;
  StoreSettings settings;

private:
  /// clock_timestamp() of the schema goes before the server's own.
  void make_schema(FakeClock& clock) {
    static int schemas = 0;
    schema_ = "test" + std::to_string(++schemas);
    settings.url = PostgresServer::get().url("&options=-csearch_path%3D" + schema_ + ",pg_catalog");
    settings.lock_timeout = std::chrono::seconds(4);
    session_ = std::make_unique<Session>("postgresql", settings.url);
    session_->execute("CREATE SCHEMA " + schema_ + "; CREATE SEQUENCE wall");
    session_->execute(
        "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
        "'SELECT to_timestamp(last_value / 1000.0) FROM " +
        schema_ + ".wall'");
    clock.on_change([this](WallTime time) {
      session_->execute("SELECT setval('wall', " + std::to_string(time.time_since_epoch().count()) + ")");
    });
  }

  bool is_server_;
  std::string schema_;
  std::unique_ptr<Session> session_;
};

/// What passes, the newest first.
inline std::vector<Record> listed(Store& store, const Filter& filter = {}) {
  std::vector<Record> records;
  store.list(filter, [&](const Record& record) {
    records.push_back(record);
    return true;
  });
  return records;
}

inline const auto kDatabases = testing::Values("sqlite", "postgresql");

/// A fixture that is made with the kind of its spool, for tests on each of kDatabases.
template <class Base>
class OnEach : public Base, public testing::WithParamInterface<const char*> {
protected:
  OnEach() : Base(GetParam()) {}
};

inline std::string name_of(const testing::TestParamInfo<const char*>& database) {
  return database.param;
}

}  // namespace alertspool
