#include "store/store_impl.h"

#include <algorithm>
#include <unordered_map>

namespace alertspool {

namespace {

/// The alarm's row while a batch is worked through.
struct Alarm {
  bool fires = false;
  std::string severity;
  std::int64_t since = 0;
  std::int64_t seen = 0;
  std::string following;
  bool changed = false;
};
using Alarms = std::unordered_map<std::string, Alarm>;

/// How long an alarm that stays as it is goes without its row being written: retention looks at `seen`.
constexpr std::int64_t kSeenEvery = milliseconds(std::chrono::hours(24)).count();

Alarms read_alarms(Session& session, std::span<const Incoming> batch, const std::vector<Put>& puts) {
  std::vector<Value> names;
  std::set<std::string_view> known;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (puts[i].duplicate || batch[i].alarm.empty() || !known.insert(batch[i].alarm).second) continue;
    names.emplace_back(batch[i].alarm);
  }
  Alarms alarms;
  for (const Row& row : session.run_rows(sql::kReadAlarms, std::move(names))) {
    alarms[text(row[0])] = {integer(row[1]) != 0, text(row[2]), integer(row[3]), integer(row[4]), text(row[5]), false};
  }
  return alarms;
}

/// The actions that get this alert: those that match, and those that have followed its alarm so far. Brings the alarm
/// up to date: who takes its ALERT follows, until its OK.
std::vector<std::string> actions_for(const Incoming& incoming, Alarm& alarm) {
  std::vector<std::string> actions = incoming.actions;
  std::vector<std::string> following = split(alarm.following, ' ');
  const auto has = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (const std::string& follower : incoming.followers) {
    if (has(following, follower) && !has(actions, follower)) actions.push_back(follower);
  }
  if (incoming.change == AlarmChange::fires) {
    for (const std::string& action : incoming.following) {
      if (has(following, action)) continue;
      alarm.following += alarm.following.empty() ? action : ' ' + action;
    }
  }
  if (incoming.change == AlarmChange::clears) alarm.following.clear();
  return actions;
}

void update(Alarm& alarm, const Incoming& incoming, const Alarm& before) {
  const std::int64_t received = ms(incoming.callback.received);
  if (incoming.change != AlarmChange::none) alarm.fires = incoming.change == AlarmChange::fires;
  if (alarm.since == 0 || alarm.fires != before.fires) alarm.since = received;
  alarm.severity = escape_bytes(incoming.severity);
  if (alarm.fires != before.fires || alarm.severity != before.severity || alarm.following != before.following ||
      received - alarm.seen > kSeenEvery || alarm.seen == 0) {
    alarm.seen = received;
    alarm.changed = true;
  }
}

std::vector<Value> alert_rows(std::span<const Incoming> batch, const std::vector<std::size_t>& first,
                              const std::vector<std::int64_t>& repeats) {
  std::vector<Value> rows;
  rows.reserve(first.size() * 13);
  for (std::size_t k = 0; k < first.size(); ++k) {
    const Incoming& incoming = batch[first[k]];
    const Callback& callback = incoming.callback;
    append(rows, ms(callback.received), to_valid_utf8(callback.remote_addr), callback.token,
           to_valid_utf8(callback.query), to_valid_utf8(callback.content_type), escape_bytes(callback.body),
           incoming.sent, incoming.digest, incoming.alarm, escape_bytes(incoming.severity), std::int64_t{callback.test},
           to_valid_utf8(incoming.undecodable), repeats[k]);
  }
  return rows;
}

/// Inserts what is new; each callback of the batch gets the id of its digest.
std::vector<Put> put_alerts(Session& session, std::span<const Incoming> batch) {
  std::unordered_map<std::string_view, std::size_t> place;  // digest -> index into first
  std::vector<std::size_t> first;
  std::vector<std::int64_t> repeats;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto [at, is_new] = place.emplace(batch[i].digest, first.size());
    if (is_new) {
      first.push_back(i);
      repeats.push_back(0);
    } else {
      ++repeats[at->second];
    }
  }
  std::vector<Put> puts(batch.size());
  std::vector<std::int64_t> id(first.size());
  for (const Row& row : session.run_rows(sql::kPutAlerts, alert_rows(batch, first, repeats))) {
    const std::size_t k = place.at(text(row[1]));
    id[k] = integer(row[0]);
    puts[first[k]].duplicate = integer(row[2]) != repeats[k];
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t k = place.at(batch[i].digest);
    puts[i].id = id[k];
    if (first[k] != i) puts[i].duplicate = true;
  }
  return puts;
}

void put_deliveries(Session& session, std::span<const Incoming> batch, const std::vector<Put>& puts, Alarms& alarms) {
  std::vector<Value> deliveries;
  std::vector<Value> unmatched;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Incoming& incoming = batch[i];
    if (puts[i].duplicate || !incoming.undecodable.empty()) continue;
    Alarm& alarm = alarms[incoming.alarm];
    const Alarm before = alarm;
    const std::vector<std::string> actions = actions_for(incoming, alarm);
    update(alarm, incoming, before);
    for (const std::string& action : actions) append(deliveries, puts[i].id, action);
    if (actions.empty()) unmatched.emplace_back(puts[i].id);
  }
  session.run_rows(sql::kPutDeliveries, std::move(deliveries));
  session.run_rows(sql::kMarkUnmatched, std::move(unmatched));
}

void write_alarms(Session& session, const Alarms& alarms) {
  std::vector<Value> rows;
  for (const auto& [id, alarm] : alarms) {
    if (alarm.changed)
      append(rows, id, std::int64_t{alarm.fires}, alarm.severity, alarm.since, alarm.seen, alarm.following);
  }
  session.run_rows(sql::kWriteAlarms, std::move(rows));
}

}  // namespace

void Store::Impl::check_waiting(std::size_t more) {
  const SteadyTime now = connection.steady();
  if (now >= next_room_check) {
    connection.check_room();
    next_room_check = now + milliseconds(500);
  }
  room_left -= static_cast<std::int64_t>(more);
  if (room_left >= 0) return;
  if (now >= next_count) {
    std::int64_t waiting = 0;
    connection.read("count waiting",
                    [&](Session& session) { waiting = integer(session.run(sql::kCountWaiting)[0][0]); });
    const std::int64_t free = connection.settings().max_waiting - waiting;
    room_left = free / 2 - static_cast<std::int64_t>(more);  // half: other processes store too
    if (free > 0) return;
    next_count = now + milliseconds(1000);
  }
  if (room_left < 0) {
    throw StoreFull("the spool has reached max-waiting = " + std::to_string(connection.settings().max_waiting) +
                    " deliveries that wait; see `alertspool list --state pending`");
  }
}

std::vector<Put> Store::put(std::span<const Incoming> batch) {
  std::vector<Put> puts;
  if (batch.empty()) return puts;
  std::size_t deliveries = 0;
  for (const Incoming& incoming : batch) deliveries += incoming.actions.size() + incoming.followers.size();
  impl_->check_waiting(deliveries);
  impl_->connection.write("store alerts", [&](Session& session) {
    puts = put_alerts(session, batch);
    Alarms alarms = read_alarms(session, batch, puts);
    put_deliveries(session, batch, puts, alarms);
    write_alarms(session, alarms);
  });
  return puts;
}

}  // namespace alertspool
