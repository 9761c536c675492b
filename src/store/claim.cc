#include "store/store_impl.h"

#include <algorithm>
#include <unordered_map>

namespace alertspool {

namespace {

constexpr std::int64_t kFreshAtOnce = 512;

const char* state_of(Mark::Kind kind) noexcept {
  if (kind == Mark::Kind::delivered) return "delivered";
  return kind == Mark::Kind::failed ? "failed" : "pending";
}

void read_callbacks(Session& session, std::vector<Claimed>& claims) {
  std::vector<Value> alerts;
  std::unordered_map<std::int64_t, Claimed*> by_id;
  for (Claimed& claimed : claims) {
    alerts.emplace_back(claimed.alert_id);
    by_id[claimed.alert_id] = &claimed;
  }
  for (const Row& row : session.run_rows(sql::kReadCallbacks, std::move(alerts))) {
    Claimed& claimed = *by_id.at(integer(row[0]));
    claimed.callback = callback_of(row);
    claimed.duplicates = static_cast<int>(integer(row[8]));
  }
}

/// The earliest time at which something of the action may be claimed: from its lanes, and of its fresh ones.
struct Earliest {
  std::optional<std::int64_t> lanes;
  std::optional<std::int64_t> fresh;
};

std::optional<std::int64_t> number(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? std::optional(*number) : std::nullopt;
}

Earliest earliest(Session& session, const std::string& action, const std::string& owner) {
  return {number(session.run(sql::kNextDue, {action, owner})[0][0]),
          number(session.run(sql::kOldestFresh, {action})[0][0])};
}

/// One transaction. Fresh ones enter their lanes until heads fill the room, so that one long lane hides no other; at
/// most kFreshAtOnce of them, so that nobody waits long for the lock.
class Claim {
public:
  Claim(Connection& connection, const std::string& action, int limit, const Lease& lease, milliseconds farthest)
      : connection_(connection),
        action_(action),
        owner_(lease.owner),
        limit_(limit),
        lease_(lease.length.count()),
        ahead_(farthest.count()) {}

  Claims take() {
    // Looked up without the writers' lock first: an idle deliverer writes nothing.
    Earliest next;
    connection_.read("look what is due", [&](Session& session) {
      next = earliest(session, action_, owner_);
      now_ = connection_.now(session);
    });
    const bool heads = next.lanes && (*next.lanes <= now_ || *next.lanes > now_ + ahead_);
    fresh_ = next.fresh.has_value();
    if (!heads && !fresh_) return {};
    connection_.write("claim deliveries", kDeliveries, [&](Session& session) {
      now_ = connection_.now(session);
      session.run(sql::kEndLeases, {now_, owner_, now_});
      session.run(sql::kPullDue, {now_, action_, now_ + ahead_});
      const bool heads_first = heads && !(fresh_ && *next.fresh < *next.lanes);
      if (heads_first) add_heads(session);
      add_fresh(session);
      if (!heads_first) add_heads(session);
      if (!fresh_) add_behind(session);
      read_callbacks(session, claims_);
    });
    const bool more = fresh_ || room() <= 0;
    std::ranges::sort(claims_, {}, &Claimed::alert_id);
    return {std::move(claims_), more};
  }

private:
  std::int64_t room() const noexcept { return limit_ - static_cast<std::int64_t>(claims_.size()); }

  /// Those of the rows that run; the others only entered their lanes.
  void add(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      if (text(row[1]) != "running") continue;
      claims_.push_back({integer(row[0]), action_, text(row[3]), static_cast<int>(integer(row[2])), 0, {}});
      lanes_.push_back(row[3]);
    }
  }

  void add_heads(Session& session) {
    if (room() > 0) add(session.run(sql::kClaimHeads, {owner_, now_ + lease_, action_, action_, now_, room()}));
  }

  void add_fresh(Session& session) {
    if (!fresh_ || room() <= 0) return;
    const auto rows =
        session.run(sql::kClaimFresh, {now_, now_, owner_, now_ + lease_, room(), action_, kFreshAtOnce, action_});
    add(rows);
    fresh_ = rows.size() == kFreshAtOnce;
  }

  void add_behind(Session& session) {
    if (room() <= 0 || lanes_.empty()) return;
    lanes_.resize(std::min(lanes_.size(), static_cast<std::size_t>(room())));
    const std::int64_t each = room() / static_cast<std::int64_t>(lanes_.size());
    add(session.run_rows(connection_.claim_behind(), lanes_, {owner_, now_ + lease_, action_, action_, each}));
  }

  Connection& connection_;
  const std::string& action_;
  const std::string& owner_;
  const std::int64_t limit_;
  const std::int64_t lease_;  ///< for how long, in ms
  const std::int64_t ahead_;  ///< of now at most, else a due time is pulled to it
  std::int64_t now_ = 0;
  bool fresh_ = false;        ///< fresh ones may be left
  std::vector<Value> lanes_;  ///< whose heads are claimed
  std::vector<Claimed> claims_;
};

}  // namespace

Claims Store::claim(const std::string& action, int limit, const Lease& lease, milliseconds farthest) {
  return Claim(*impl_->connection, action, limit, lease, farthest).take();
}

std::size_t Store::mark(std::span<const Mark> marks, const Lease& lease) {
  std::size_t recorded = 0;
  if (marks.empty()) return recorded;
  std::vector<Value> rows;
  rows.reserve(marks.size() * 5);
  impl_->connection->write("mark deliveries", kDeliveries, [&](Session& session) {
    const std::int64_t now = impl_->connection->now(session), skew = now - impl_->connection->wall();
    for (const Mark& mark : marks) {
      append(rows, mark.alert_id, mark.action, state_of(mark.kind),
             mark.kind == Mark::Kind::later ? Value(ms(mark.due) + skew) : Value(),
             std::int64_t{mark.kind == Mark::Kind::released ? -1 : 0});
    }
    std::set<std::pair<std::string, std::string>> lanes;
    std::set<std::pair<std::int64_t, std::string>> ours;
    StateCounts states;
    for (const Row& row : session.run_rows(sql::kMark, std::move(rows), {lease.owner})) {
      ours.emplace(integer(row[0]), text(row[1]));
      lanes.emplace(text(row[1]), text(row[2]));
      ++states[{text(row[1]), text(row[3])}];
    }
    count_ended(session, states);
    std::vector<Value> attempts;
    for (const Mark& mark : marks) {
      if (mark.kind == Mark::Kind::released || !ours.contains({mark.alert_id, mark.action})) continue;
      append(attempts, mark.alert_id, mark.action, std::int64_t{mark.attempt}, lease.host, ms(mark.started),
             mark.duration.count(), to_valid_utf8(mark.outcome), escape_bytes(mark.output));
    }
    session.run_rows(sql::kPutAttempts, std::move(attempts));
    impl_->settle(session, lanes, now);
    recorded = ours.size();
  });
  return recorded;
}

void count_ended(Session& session, const StateCounts& more) {
  std::vector<Value> rows;
  for (const auto& [of, count] : more) {
    if (of.second == "delivered" || of.second == "dropped") append(rows, of.first, of.second, count);
  }
  session.run_rows(sql::kCountEnded, std::move(rows));
}

void Store::Impl::settle(Session& session, const std::set<std::pair<std::string, std::string>>& lanes,
                         std::int64_t now) {
  std::vector<Value> rows;
  for (const auto& [action, alarm] : lanes) append(rows, action, alarm);
  session.run_rows(sql::kSettleLanes, std::move(rows), {now});
}

void Store::renew(std::span<const Held> held, const Lease& lease) {
  std::vector<Value> rows;
  for (const Held& each : held) append(rows, each.alert_id, each.action);
  impl_->connection->write("renew lease", kDeliveries, [&](Session& session) {
    const std::int64_t now = impl_->connection->now(session), until = now + lease.length.count();
    session.run_rows(sql::kRenew, std::move(rows), {until, lease.owner});
    session.run(sql::kEndOthers, {now, lease.owner, until});
  });
}

std::optional<WallTime> Store::next_due(const std::vector<std::string>& actions, const Lease& lease) {
  std::optional<std::int64_t> next;
  impl_->connection->read("look what is due", [&](Session& session) {
    for (const std::string& action : actions) {
      const Earliest of = earliest(session, action, lease.owner);
      for (const auto& time : {of.lanes, of.fresh}) {
        if (time) next = std::min(next.value_or(*time), *time);
      }
    }
    if (next) *next -= impl_->connection->now(session) - impl_->connection->wall();
  });
  return next ? std::optional(wall(*next)) : std::nullopt;
}

std::vector<Expired> Store::expired(WallTime before, int limit) {
  std::vector<Expired> expired;
  impl_->connection->read("look for what expired", [&](Session& session) {
    for (const Row& row : session.run(sql::kExpired, {ms(before), std::int64_t{limit}, std::int64_t{limit}})) {
      expired.push_back({integer(row[0]), text(row[1]), integer(row[2]) != 0});
    }
  });
  std::ranges::sort(expired, {}, &Expired::alert_id);
  return expired;
}

void Store::purge(std::span<const Expired> alerts, WallTime before) {
  std::vector<Value> listed;
  for (const Expired& alert : alerts) listed.emplace_back(alert.alert_id);
  impl_->connection->write("purge", kDeliveries, [&](Session& session) {
    std::vector<Value> ended;
    std::set<Value> alarms;
    for (const Row& row : session.run_rows(sql::kDeleteAlerts, listed)) {
      ended.push_back(row[0]);
      alarms.insert(row[1]);
    }
    session.run_rows(sql::kDeleteAttempts, ended);
    StateCounts states;
    for (const Row& row : session.run_rows(sql::kDeleteDeliveries, std::move(ended)))
      --states[{text(row[0]), text(row[1])}];
    count_ended(session, states);
    session.run_rows(sql::kDeleteAlarms, {alarms.begin(), alarms.end()}, {ms(before)});
  });
}

}  // namespace alertspool
