#include "store/store_impl.h"

namespace alertspool {

Store::Store(StoreSettings settings, StoreUse use, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(settings), use, clock)) {}
Store::~Store() = default;

void Store::connect() {
  impl_->connection.session();
}
bool Store::init() {
  return impl_->connection.init();
}
void Store::check_room() const {
  impl_->connection.check_room();
}
void Store::probe() {
  impl_->connection.write("probe", [](Session& session) { session.run(sql::kProbe); });
}
bool Store::become_deliverer() {
  return impl_->connection.try_lock_deliverer();
}

void Store::count_refusals(std::span<const RefusalCount> counts) {
  if (counts.empty()) return;
  std::vector<Value> rows;
  for (const RefusalCount& count : counts) {
    append(rows, count.reason, std::int64_t{count.allowed_address}, count.count, ms(count.last),
           to_valid_utf8(count.address));
  }
  impl_->connection.write("count refusals", [&](Session& session) { session.run_rows(sql::kCountRefusals, rows); });
}

void Store::announce(const ProcessInfo& process) {
  impl_->connection.write("announce process", [&](Session& session) {
    const std::int64_t now = impl_->connection.now();
    session.run(sql::kAnnounce, {process.role, process.host, std::int64_t{process.pid}, ms(process.started), now,
                                 process.actions, process.note});
    session.run(sql::kForgetProcesses, {now - milliseconds(std::chrono::hours(24)).count()});
  });
}

void Store::leave(const ProcessInfo& process) noexcept {
  try {
    impl_->connection.write("announce end", [&](Session& session) {
      session.run(sql::kLeave, {process.role, process.host, std::int64_t{process.pid}});
    });
  } catch (const std::exception&) {
    return;  // `status` then finds that nobody has been heard of: true as well
  }
}

void Store::backup(const std::string& path) {
  // Not in a transaction: VACUUM INTO makes its own, a reader's.
  try {
    impl_->connection.session().run(sql::kBackup, {path});
  } catch (const SqlError& error) {
    throw StoreError("backup to " + path + ": " + error.what());
  }
}

}  // namespace alertspool
