#include "store/store_impl.h"

#include <algorithm>
#include <unordered_map>

namespace alertspool {

namespace {

struct Parts {
  const char* state;
  std::int64_t tries;
};

Parts parts_of(Mark::Kind kind) noexcept {
  switch (kind) {
    case Mark::Kind::delivered:
      return {"delivered", 0};
    case Mark::Kind::later:
      return {"pending", 0};
    case Mark::Kind::failed:
      return {"failed", 0};
    case Mark::Kind::released:
      return {"pending", -1};
  }
  return {"pending", 0};
}

Claimed claimed_of(const Row& row) {
  Claimed claimed;
  claimed.delivery_id = integer(row[0]);
  claimed.alert_id = integer(row[1]);
  claimed.attempt = static_cast<int>(integer(row[2]));
  claimed.alarm = text(row[3]);
  return claimed;
}

void read_callbacks(Session& session, std::vector<Claimed>& claims) {
  std::vector<Value> alerts;
  alerts.reserve(claims.size());
  for (const Claimed& claimed : claims) alerts.emplace_back(claimed.alert_id);
  std::unordered_map<std::int64_t, const Row*> found;
  const std::vector<Row> rows = session.run_rows(sql::kReadCallbacks, alerts);
  for (const Row& row : rows) found[integer(row[0])] = &row;
  for (Claimed& claimed : claims) {
    const auto at = found.find(claimed.alert_id);
    if (at == found.end()) continue;
    claimed.callback = callback_of(*at->second, 1);
    claimed.callback.test = integer((*at->second)[7]) != 0;
    claimed.duplicates = static_cast<int>(integer((*at->second)[8]));
  }
}

}  // namespace

void Store::take_over() {
  impl_->connection.write("take over",
                          [&](Session& session) { session.run(sql::kTakeOver, {impl_->connection.now()}); });
}

std::vector<Claimed> Store::claim(const std::string& action, int limit, const Lease& lease, milliseconds farthest) {
  std::vector<Claimed> claims;
  // Looked up without the writers' lock first: an idle deliverer writes nothing.
  const std::optional<WallTime> due = next_due({action});
  const std::int64_t now = impl_->connection.now();
  if (!due || (ms(*due) <= now + farthest.count() && ms(*due) > now)) return claims;
  impl_->connection.write("claim deliveries", [&](Session& session) {
    const std::int64_t until = now + lease.length.count();
    session.run(sql::kEndLeases, {now, lease.owner, now});
    session.run(sql::kPullDue, {now, action, now + farthest.count()});
    std::vector<Value> alarms;
    for (const Row& row : session.run(sql::kClaimHeads, {lease.owner, until, action, now, std::int64_t{limit}})) {
      claims.push_back(claimed_of(row));
      alarms.push_back(row[3]);
    }
    const int room = limit - static_cast<int>(claims.size());
    if (room > 0 && !claims.empty()) {
      const std::int64_t behind = std::max<std::int64_t>(1, room / static_cast<std::int64_t>(claims.size()));
      for (const Row& row : session.run_rows(sql::kClaimBehind, alarms, {lease.owner, until, action, behind})) {
        claims.push_back(claimed_of(row));
      }
    }
    read_callbacks(session, claims);
  });
  std::sort(claims.begin(), claims.end(),
            [](const Claimed& a, const Claimed& b) { return a.delivery_id < b.delivery_id; });
  return claims;
}

std::size_t Store::mark(std::span<const Mark> marks, const Lease& lease) {
  std::size_t recorded = 0;
  if (marks.empty()) return recorded;
  std::vector<Value> rows;
  rows.reserve(marks.size() * 4);
  for (const Mark& mark : marks) {
    const Parts parts = parts_of(mark.kind);
    append(rows, mark.delivery_id, parts.state, mark.kind == Mark::Kind::later ? Value(ms(mark.due)) : Value(),
           parts.tries);
  }
  impl_->connection.write("mark deliveries", [&](Session& session) {
    std::set<std::pair<std::string, std::string>> lanes;
    std::set<std::int64_t> ours;
    for (const Row& row : session.run_rows(sql::kMark, rows, {lease.owner})) {
      ours.insert(integer(row[0]));
      lanes.emplace(text(row[1]), text(row[2]));
    }
    std::vector<Value> attempts;
    for (const Mark& mark : marks) {
      if (mark.kind == Mark::Kind::released || !ours.contains(mark.delivery_id)) continue;
      append(attempts, mark.delivery_id, std::int64_t{mark.attempt}, lease.host, ms(mark.started),
             mark.duration.count(), to_valid_utf8(mark.outcome), escape_bytes(mark.output));
    }
    session.run_rows(sql::kPutAttempts, attempts);
    impl_->settle(session, lanes);
    recorded = ours.size();
  });
  return recorded;
}

void Store::Impl::settle(Session& session, const std::set<std::pair<std::string, std::string>>& lanes) {
  std::vector<Value> rows;
  for (const auto& [action, alarm] : lanes) append(rows, action, alarm);
  session.run_rows(sql::kSettleLanes, rows, {connection.now()});
}

void Store::renew(const Lease& lease) {
  impl_->connection.write("renew lease", [&](Session& session) {
    session.run(sql::kRenew, {impl_->connection.now() + lease.length.count(), lease.owner});
  });
}

std::optional<WallTime> Store::next_due(const std::vector<std::string>& actions) {
  std::optional<std::int64_t> next;
  impl_->connection.read("look what is due", [&](Session& session) {
    for (const std::string& action : actions) {
      const Value due = session.run(sql::kNextDue, {action})[0][0];
      if (const auto* time = std::get_if<std::int64_t>(&due)) next = std::min(next.value_or(*time), *time);
    }
  });
  return next ? std::optional(wall(*next)) : std::nullopt;
}

std::vector<Expired> Store::expired(WallTime before, int limit) {
  std::vector<Expired> expired;
  impl_->connection.read("look for what expired", [&](Session& session) {
    for (const Row& row : session.run(sql::kExpired, {ms(before), std::int64_t{limit}})) {
      expired.push_back({integer(row[0]), text(row[1]), integer(row[2]) != 0});
    }
  });
  return expired;
}

void Store::purge(std::span<const Expired> alerts, WallTime before) {
  std::vector<Value> listed;
  for (const Expired& alert : alerts) listed.emplace_back(alert.alert_id);
  impl_->connection.write("purge", [&](Session& session) {
    std::vector<Value> ended;
    for (const Row& row : session.run_rows(sql::kDeleteAlerts, listed)) ended.push_back(row[0]);
    session.run_rows(sql::kDeleteAttempts, ended);
    session.run_rows(sql::kDeleteDeliveries, ended);
    session.run(sql::kDeleteAlarms, {ms(before)});
  });
}

}  // namespace alertspool
