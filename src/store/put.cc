#include "store/store_impl.h"

#include <algorithm>
#include <iterator>
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

  bool operator==(const Alarm&) const = default;
};
using Alarms = std::unordered_map<std::string, Alarm>;

/// How long an alarm that stays as it is goes without its row being written: retention looks at `seen`.
constexpr std::int64_t kSeenEvery = milliseconds(std::chrono::hours(1)).count();

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
  const Alarm before = alarm;
  const std::vector<std::string> following = split(alarm.following, ' ');
  const auto follows = [&](const std::string& action) { return std::ranges::count(following, action) > 0; };
  std::vector<std::string> actions = incoming.actions;
  std::ranges::copy_if(incoming.followers, std::back_inserter(actions), follows);

  if (incoming.change == AlarmChange::fires) {
    alarm.fires = true;
    for (const std::string& action : incoming.following)
      if (!follows(action)) alarm.following += alarm.following.empty() ? action : ' ' + action;
  } else if (incoming.change == AlarmChange::clears) {
    alarm.fires = false;
    alarm.following.clear();
  }
  const std::int64_t received = ms(incoming.callback.received);
  alarm.severity = escape_bytes(incoming.severity);
  if (alarm.since == 0 || alarm.fires != before.fires) alarm.since = received;
  if (alarm != before || received - alarm.seen > kSeenEvery) {
    alarm.seen = received;
    alarm.changed = true;
  }
  return actions;
}

/// Inserts what is new; each callback of the batch gets the id of its digest.
std::vector<Put> put_alerts(Session& session, std::span<const Incoming> batch) {
  struct First {
    std::size_t at = 0;        ///< in the batch
    std::int64_t repeats = 0;  ///< after it
    std::int64_t id = 0;
  };
  std::unordered_map<std::string_view, First> firsts;  // by digest
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto [first, is_new] = firsts.try_emplace(batch[i].digest, First{i});
    if (!is_new) ++first->second.repeats;
  }
  std::vector<Value> rows;
  rows.reserve(firsts.size() * 13);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Incoming& incoming = batch[i];
    const Callback& callback = incoming.callback;
    const First& first = firsts.at(incoming.digest);
    if (first.at != i) continue;
    append(rows, ms(callback.received), to_valid_utf8(callback.remote_addr), callback.token,
           to_valid_utf8(callback.query), to_valid_utf8(callback.content_type), escape_bytes(callback.body),
           incoming.sent, incoming.digest, incoming.alarm, escape_bytes(incoming.severity), std::int64_t{callback.test},
           to_valid_utf8(incoming.undecodable), first.repeats);
  }
  std::vector<Put> puts(batch.size());
  for (const Row& row : session.run_rows(sql::kPutAlerts, std::move(rows))) {
    First& first = firsts.at(text(row[1]));
    first.id = integer(row[0]);
    puts[first.at].duplicate = integer(row[2]) != first.repeats;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const First& first = firsts.at(batch[i].digest);
    puts[i].id = first.id;
    puts[i].duplicate |= first.at != i;
  }
  return puts;
}

void put_deliveries(Session& session, std::span<const Incoming> batch, const std::vector<Put>& puts, Alarms& alarms) {
  std::vector<Value> deliveries;
  std::vector<Value> unmatched;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Incoming& incoming = batch[i];
    if (puts[i].duplicate || !incoming.undecodable.empty()) continue;
    const std::vector<std::string> actions = actions_for(incoming, alarms[incoming.alarm]);
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
  const SteadyTime now = connection->steady();
  if (now >= next_room_check) {
    connection->check_room();
    next_room_check = now + milliseconds(500);
  }
  room_left -= static_cast<std::int64_t>(more);
  if (room_left >= 0) return;
  if (now >= next_count) {
    std::int64_t waiting = 0;
    connection->read("count waiting",
                     [&](Session& session) { waiting = integer(session.run(sql::kCountWaiting)[0][0]); });
    const std::int64_t free = connection->settings().max_waiting - waiting;
    room_left = free / 2 - static_cast<std::int64_t>(more);  // half: other processes store too
    if (free > 0) return;
    next_count = now + milliseconds(1000);
  }
  if (room_left < 0) {
    throw StoreFull("the spool has reached max-waiting = " + std::to_string(connection->settings().max_waiting) +
                    " deliveries that wait; see `alertspool list --state pending`");
  }
}

std::vector<Put> Store::put(std::span<const Incoming> batch) {
  std::vector<Put> puts;
  if (batch.empty()) return puts;
  std::size_t deliveries = 0;
  for (const Incoming& incoming : batch) deliveries += incoming.actions.size() + incoming.followers.size();
  impl_->check_waiting(deliveries);
  // Of one alarm: its repeats, the order of its ids, and who follows it.
  std::set<Value> alarms_of_batch;
  for (const Incoming& incoming : batch) alarms_of_batch.emplace("alarm " + incoming.alarm);
  const std::vector<Value> names(alarms_of_batch.begin(), alarms_of_batch.end());
  impl_->connection->write("store alerts", names, [&](Session& session) {
    puts = put_alerts(session, batch);
    Alarms alarms = read_alarms(session, batch, puts);
    put_deliveries(session, batch, puts, alarms);
    write_alarms(session, alarms);
  });
  return puts;
}

}  // namespace alertspool
