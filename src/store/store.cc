#include "store/store_impl.h"
#include "store/url.h"

namespace alertspool {

std::unique_ptr<Connection> Connection::make(StoreSettings settings, StoreUse use, const Clock& clock) {
  if (const std::string fault = fault_of_url(settings.url); !fault.empty()) throw StoreError("store: " + fault);
  const auto make = file_of_url(settings.url).empty() ? make_postgres : make_sqlite;
  return make(std::move(settings), use, clock);
}

std::string why_closed(const std::string& spool, std::int64_t version, const std::string& peer) {
  if (version == sql::kMoved) return spool + " was moved to " + peer + ": set store to that";
  return spool + " is an unfinished copy of " + peer + ": run `alertspool copy` there again";
}

void Connection::check_version(const std::string& spool, Session& session) const {
  const std::vector<Row> rows = session.run(sql::kReadVersion);
  if (rows.size() == 1 && integer(rows[0][0]) == sql::kSchemaVersion) return;
  if (rows.size() == 1 && integer(rows[0][0]) <= sql::kUnfinished) {
    if (copies()) return;
    throw StoreClosed(why_closed(spool, integer(rows[0][0]), text(session.run(sql::kReadPeer).at(0)[0])));
  }
  throw StoreError(spool + " has schema version " + (rows.empty() ? "none" : std::to_string(integer(rows[0][0]))) +
                   ", this program knows " + std::to_string(sql::kSchemaVersion) +
                   ": use the program that wrote it, or a newer one");
}

Store::Store(StoreSettings settings, StoreUse use, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(settings), use, clock)) {}
Store::~Store() = default;

void Store::connect() {
  impl_->connection->read("connect", [](Session&) {});
}
bool Store::init() {
  return impl_->connection->init();
}
void Store::check_room() const {
  impl_->connection->check_room();
}
void Store::probe() {
  impl_->connection->write("probe", {}, [](Session& session) { session.run(sql::kProbe); });
}
void Store::leave_open() noexcept {
  impl_->connection->leave_open();
}
bool Store::become_deliverer() {
  return impl_->connection->become_deliverer();
}
void Store::take_over() {
  impl_->connection->take_over();
}

void Store::count_refusals(std::span<const RefusalCount> counts) {
  if (counts.empty()) return;
  std::vector<Value> rows;
  for (const RefusalCount& count : counts) {
    append(rows, count.reason, std::int64_t{count.allowed_address}, count.count, ms(count.last),
           to_valid_utf8(count.address));
  }
  impl_->connection->write("count refusals", {"refusals"},
                           [&](Session& session) { session.run_rows(sql::kCountRefusals, rows); });
}

void Store::announce(const ProcessInfo& process) {
  impl_->connection->write("announce process", {"processes"}, [&](Session& session) {
    const std::int64_t now = impl_->connection->now(session);
    session.run(sql::kAnnounce, {process.role, process.host, std::int64_t{process.pid}, ms(process.started), now,
                                 process.actions, process.note});
    session.run(sql::kForgetProcesses, {now - milliseconds(std::chrono::hours(24)).count()});
  });
}

void Store::leave(const ProcessInfo& process) noexcept {
  try {
    impl_->connection->write("announce end", {}, [&](Session& session) {
      session.run(sql::kLeave, {process.role, process.host, std::int64_t{process.pid}});
    });
  } catch (const std::exception&) {
    return;  // `status` then finds that nobody has been heard of: true as well
  }
}

void Store::backup(const std::string& path) {
  impl_->connection->backup(path);
}

}  // namespace alertspool
