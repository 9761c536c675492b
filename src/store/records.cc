#include "store/store_impl.h"

#include <algorithm>
#include <unordered_map>

namespace alertspool {

Callback callback_of(const Row& row) {
  return {wall(integer(row[1])),        text(row[2]),        text(row[3]), text(row[4]), text(row[5]),
          unescape_bytes(text(row[6])), integer(row[7]) != 0};
}

std::string Record::state() const {
  if (!undecodable.empty()) return "undecodable";
  if (deliveries.empty()) return "unmatched";
  for (const char* state : {"pending", "running", "failed", "dropped"})
    if (std::ranges::find(deliveries, state, &DeliveryRecord::state) != deliveries.end()) return state;
  return "delivered";
}

namespace {

Record record_of(const Row& row) {
  return {integer(row[0]),
          callback_of(row),
          text(row[9]),
          unescape_bytes(text(row[10])),
          text(row[11]),
          static_cast<int>(integer(row[8])),
          {}};
}

void read_deliveries(Session& session, std::vector<Record>& records) {
  std::vector<Value> alerts;
  std::unordered_map<std::int64_t, Record*> by_id;
  for (Record& record : records) {
    alerts.emplace_back(record.id);
    by_id[record.id] = &record;
  }
  for (const Row& row : session.run_rows(sql::kReadDeliveries, alerts)) {
    DeliveryRecord delivery;
    delivery.action = text(row[1]);
    delivery.state = text(row[2]);
    delivery.attempts = static_cast<int>(integer(row[3]));
    if (std::holds_alternative<std::int64_t>(row[4])) delivery.due = wall(integer(row[4]));
    delivery.last = text(row[5]);
    delivery.output = unescape_bytes(text(row[6]));
    by_id.at(integer(row[0]))->deliveries.push_back(std::move(delivery));
  }
}

void read_tries(Session& session, Record& record) {
  for (const Row& row : session.run(sql::kReadAttempts, {record.id})) {
    const auto delivery = std::find_if(record.deliveries.begin(), record.deliveries.end(),
                                       [&](const DeliveryRecord& d) { return d.action == text(row[0]); });
    delivery->tries.push_back({static_cast<int>(integer(row[1])), text(row[2]), wall(integer(row[3])),
                               milliseconds(integer(row[4])), text(row[5]), unescape_bytes(text(row[6]))});
  }
}

/// What narrows a list down in SQL, so that a rare state does not read the whole spool. The state of an alert is the
/// least finished of its deliveries, so this finds candidates; Record::state() decides.
std::string candidates(const std::string& state) {
  if (state == "undecodable") return " AND undecodable <> ''";
  if (state == "unmatched") return " AND unmatched = 1";
  if (state == "pending" || state == "running") {
    return " AND id IN (SELECT alert_id FROM delivery WHERE state IN ('pending', 'running'))";
  }
  if (state == "failed") return " AND id IN (SELECT alert_id FROM delivery WHERE state = 'failed')";
  return "";
}

bool passes(const Filter& filter, const Record& record) {
  const auto is_action = [&](const DeliveryRecord& delivery) { return delivery.action == filter.action; };
  return (filter.state.empty() || record.state() == filter.state) &&
         (filter.alarm.empty() || record.alarm == filter.alarm) &&
         (filter.token.empty() || record.callback.token == filter.token) &&
         (filter.action.empty() || std::any_of(record.deliveries.begin(), record.deliveries.end(), is_action));
}

}  // namespace

void Store::list(const Filter& filter, const std::function<bool(const Record&)>& each) {
  constexpr std::size_t page = 200;
  constexpr std::int64_t ever = INT64_MAX;
  const std::string sql = sql::kListColumns + candidates(filter.state) + " ORDER BY id DESC LIMIT ?";
  const Statement statement{sql.c_str(), "", "iiii", sql::kListTypes};
  std::vector<Record> records;
  for (std::int64_t before = ever;; before = records.back().id) {
    records.clear();
    impl_->connection->read("list alerts", [&](Session& session) {
      for (const Row& row : session.run(statement, {before, filter.since ? ms(*filter.since) : INT64_MIN,
                                                    filter.until ? ms(*filter.until) : ever, std::int64_t{page}}))
        records.push_back(record_of(row));
      read_deliveries(session, records);
    });
    for (const Record& record : records)
      if (passes(filter, record) && !each(record)) return;
    if (records.size() < page) return;
  }
}

std::optional<Record> Store::show(std::int64_t id) {
  std::vector<Record> records;
  const std::string sql = std::string(sql::kListColumns) + " AND id = ?";
  const Statement statement{sql.c_str(), "", "iiii", sql::kListTypes};
  impl_->connection->read("show alert", [&](Session& session) {
    for (const Row& row : session.run(statement, {INT64_MAX, INT64_MIN, INT64_MAX, id}))
      records.push_back(record_of(row));
    read_deliveries(session, records);
    if (!records.empty()) read_tries(session, records[0]);
  });
  return records.empty() ? std::nullopt : std::optional(std::move(records[0]));
}

std::size_t Store::retry(std::span<const std::int64_t> alert_ids, const std::string& action) {
  std::size_t count = 0;
  impl_->connection->write("retry", kDeliveries, [&](Session& session) {
    count = session.run_rows(sql::kRetry, ids(alert_ids), {impl_->connection->now(session), action, action}).size();
  });
  return count;
}

std::size_t Store::drop(std::span<const std::int64_t> alert_ids, const std::string& action) {
  std::size_t count = 0;
  impl_->connection->write("drop", kDeliveries, [&](Session& session) {
    std::set<std::pair<std::string, std::string>> lanes;
    StateCounts states;
    for (const Row& row : session.run_rows(sql::kDrop, ids(alert_ids), {action, action})) {
      lanes.emplace(text(row[0]), text(row[1]));
      ++states[{text(row[0]), "dropped"}];
      ++count;
    }
    count_ended(session, states);
    impl_->settle(session, lanes, impl_->connection->now(session));
    count += session.run_rows(sql::kDropUndecodable, ids(alert_ids)).size();
  });
  return count;
}

Status Store::status() {
  Status status;
  impl_->connection->read("read status", [&](Session& session) {
    status.now = wall(impl_->connection->now(session));
    const Row counts = session.run(sql::kCountAlerts)[0];
    status.alerts = integer(counts[0]);
    status.unmatched = integer(counts[1]);
    status.undecodable = integer(counts[2]);
    if (integer(counts[3]) != 0) status.last_callback = wall(integer(counts[3]));
    std::int64_t oldest = INT64_MAX;
    for (const Row& row : session.run(sql::kCountDeliveries)) {
      status.deliveries.push_back({text(row[0]), text(row[1]), integer(row[2])});
      if (integer(row[3]) != 0) oldest = std::min(oldest, integer(row[3]));
    }
    for (const Row& row : session.run(sql::kReadReceived, {oldest})) status.oldest_waiting = wall(integer(row[0]));
    for (const Row& row : session.run(sql::kReadRefusals)) {
      status.refusals.push_back(
          {text(row[0]), integer(row[2]), wall(integer(row[3])), text(row[4]), integer(row[1]) != 0});
    }
    for (const Row& row : session.run(sql::kReadProcesses)) {
      status.processes.push_back({{text(row[0]), text(row[1]), static_cast<int>(integer(row[2])), wall(integer(row[3])),
                                   text(row[5]), text(row[6])},
                                  wall(integer(row[4]))});
    }
  });
  return status;
}

}  // namespace alertspool
