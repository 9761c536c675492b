#include "store/copy.h"

#include "spools.h"
#include "store/sql.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <set>

namespace alertspool {
namespace {

constexpr milliseconds kNoLimit{24LL * 3600 * 1000};
using End = Copied::End;

struct Pair {
  const char* from;
  const char* to;
};

class CopyTest : public testing::TestWithParam<Pair> {
protected:
  void SetUp() override {
    if (source.missing() || target.missing()) GTEST_SKIP() << "no PostgreSQL here";
  }

  Incoming incoming(const std::string& digest, const std::string& alarm, std::vector<std::string> actions = {"log"}) {
    Incoming incoming;
    incoming.callback = {clock.wall(),     "47.74.206.1", "ops", "team=db", "application/x-www-form-urlencoded",
                         "name=" + digest, false};
    incoming.digest = digest;
    incoming.sent = 17;
    incoming.alarm = alarm;
    incoming.severity = "WARN";
    incoming.actions = std::move(actions);
    return incoming;
  }
  std::int64_t put(const Incoming& one) { return receiver.put(std::vector{one})[0].id; }
  std::vector<std::int64_t> put_many(int count, int alarms = 7) {
    std::vector<Incoming> batch;
    for (int i = 0; i < count; ++i)
      batch.push_back(incoming("d" + std::to_string(i), "a" + std::to_string(i % alarms)));
    std::vector<std::int64_t> ids;
    for (const Put& put : receiver.put(batch)) ids.push_back(put.id);
    return ids;
  }
  std::vector<Claimed> claim(Store& store, const std::string& action = "log", int limit = 1'000) {
    std::vector<Claimed> all;
    for (bool more = true; more && static_cast<int>(all.size()) < limit;) {
      Claims claims = store.claim(action, limit - static_cast<int>(all.size()), lease, kNoLimit);
      std::ranges::move(claims.taken, std::back_inserter(all));
      more = claims.more;
    }
    return all;
  }
  void mark(const Claimed& claimed, Mark::Kind kind, const std::string& outcome) {
    const Mark mark{claimed.alert_id, claimed.action,  kind,    clock.wall() + milliseconds(60'000), claimed.attempt,
                    clock.wall(),     milliseconds(3), outcome, std::string("\\ said\0so\xff", 10)};
    deliverer.mark(std::vector{mark}, lease);
  }
  /// Some of each state that there is.
  void fill() {
    put_many(600, 600);
    const auto claims = claim(deliverer);
    for (std::size_t i = 0; i < 300; ++i) mark(claims[i], Mark::Kind::delivered, "exit 0");
    mark(claims[300], Mark::Kind::failed, "exit 65");
    mark(claims[301], Mark::Kind::later, "exit 75");
    Incoming drill = incoming("drill", "drill", {"log", "page"});
    drill.callback.test = true;
    drill.callback.body = std::string("\\x00\0\xfe", 6);
    put(drill);
    put(drill);
    Incoming unreadable = incoming("unreadable", "", {});
    unreadable.undecodable = "empty body";
    put(unreadable);
    put(incoming("unmatched", "unmatched", {}));
    receiver.drop(std::vector{put(incoming("dropped", "dropped"))}, "");
    receiver.count_refusals(std::vector{RefusalCount{"token", 3, clock.wall(), "47.74.206.2", true},
                                        RefusalCount{"token", 2, clock.wall(), "198.51.100.1", false}});
  }

  static std::string text_of(const Record& record) {
    const Callback& callback = record.callback;
    std::string text = std::to_string(record.id) + ' ' + to_rfc3339(callback.received) + callback.remote_addr +
                       callback.token + callback.query + callback.content_type + callback.body +
                       (callback.test ? " drill " : " ") + record.alarm + record.severity + record.undecodable +
                       std::to_string(record.duplicates) + ' ' + record.state();
    for (const DeliveryRecord& delivery : record.deliveries) {
      text += ' ' + delivery.action + ' ' + delivery.state + ' ' + std::to_string(delivery.attempts) + ' ' +
              (delivery.due ? to_rfc3339(*delivery.due) : "-");
      for (const AttemptRecord& attempt : delivery.tries)
        text += " [" + std::to_string(attempt.number) + attempt.host + to_rfc3339(attempt.started) +
                to_text(attempt.duration) + attempt.outcome + attempt.output + ']';
    }
    return text + '\n';
  }
  /// All that the verbs can show.
  static std::string text_of(Store& store) {
    std::string text;
    for (const Record& record : listed(store)) text += text_of(*store.show(record.id));
    for (const StateCount& count : store.status().deliveries)
      if (count.state == "delivered" || count.state == "dropped")
        text += count.action + ' ' + count.state + ' ' + std::to_string(count.count) + '\n';
    for (const RefusalCount& refusal : store.status().refusals)
      text += refusal.reason + std::to_string(refusal.count) + to_rfc3339(refusal.last) + refusal.address +
              (refusal.allowed_address ? "+\n" : "-\n");
    return text;
  }

  Copied copy(const StoreSettings& from, const StoreSettings& to) {
    return copy_spool(from, to, "here", clock, [&](const std::string&, std::int64_t) {
      if (--portions_left == 0) throw std::runtime_error("cut off");
    });
  }
  Copied copy() { return copy(source.settings, target.settings); }
  /// What a store says when it is opened.
  std::string refusal(const StoreSettings& settings) {
    try {
      Store(settings, StoreUse::receive, clock).connect();
    } catch (const StoreError& error) {
      return error.what();
    }
    return "";
  }
  Store open(const TestSpool& spool, StoreUse use) { return {spool.settings, use, clock}; }
  std::int64_t alerts(const TestSpool& spool) { return open(spool, StoreUse::read).status().alerts; }

  FakeClock clock;
  TestSpool source{GetParam().from, clock}, target{GetParam().to, clock};
  Store receiver{source.settings, StoreUse::receive, clock};
  Store deliverer{source.settings, StoreUse::deliver, clock};
  Lease lease{"here-1-1", "here", milliseconds(30'000)};
  int portions_left = 0;
};

INSTANTIATE_TEST_SUITE_P(Ways, CopyTest,
                         testing::Values(Pair{"sqlite", "postgresql"}, Pair{"postgresql", "sqlite"},
                                         Pair{"sqlite", "sqlite"}, Pair{"postgresql", "postgresql"}),
                         [](const auto& way) { return std::string(way.param.from) + "_to_" + way.param.to; });

/// Who changes the schema meets this.
TEST(Copy, TakesEveryColumnOfEveryTableButTwo) {
  FakeClock clock;
  const TestSpool spool("sqlite", clock);
  Store(spool.settings, StoreUse::receive, clock).connect();
  const Statement columns{
      "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
      "WHERE t.type = 'table' AND t.name NOT IN ('meta', 'process', 'sqlite_sequence') ORDER BY c.cid",
      "", "", "ss"};
  std::map<std::string, std::string> expected, copied;
  for (const Row& row : Session("sqlite3", spool.directory.path("spool.db")).run(columns)) {
    std::string& names = expected[text(row[0])];
    names += (names.empty() ? "" : " ") + text(row[1]);
  }
  for (const sql::Table& table : sql::kCopied) copied[table.name] = table.columns;
  EXPECT_EQ(copied, expected);
}

TEST_P(CopyTest, AllOfEachStateIsThereAfterwards) {
  fill();
  // As a take over would leave it: what ran waits.
  auto running = claim(deliverer, "page");
  ASSERT_EQ(running.size(), 1U);
  mark(running[0], Mark::Kind::delivered, "exit 0");
  Filter of;
  of.state = "running";
  Store reader = open(source, StoreUse::read);
  const auto were_running = listed(reader, of);
  ASSERT_EQ(were_running.size(), 298U);
  std::string expected = text_of(receiver);
  for (std::size_t at = 0; (at = expected.find(" running", at)) != expected.npos;) expected.replace(at, 8, " pending");
  for (std::size_t at = 0; (at = expected.find("pending 1 -", at)) != expected.npos;)
    expected.replace(at, 11, "pending 1 " + to_rfc3339(clock.wall()));

  const Copied copied = copy();
  ASSERT_EQ(copied.end, End::moved) << copied.why;
  Store there = open(target, StoreUse::read);
  EXPECT_EQ(text_of(there), expected);
  ASSERT_EQ(copied.tables.size(), 6U);
  EXPECT_EQ(copied.tables[0].name, "alert");
  EXPECT_EQ(copied.tables[0].rows, 604);
  EXPECT_EQ(copied.digest.size(), 64U);
}

TEST_P(CopyTest, NextIdIsAboveAllThatEverWere) {
  const std::int64_t first = put(incoming("first", "a")), last = put(incoming("last", "b"));
  for (const Claimed& claimed : claim(deliverer))
    if (claimed.alert_id == last) mark(claimed, Mark::Kind::delivered, "exit 0");
  clock.advance(milliseconds(1));
  const auto expired = deliverer.expired(clock.wall(), 500);
  ASSERT_EQ(expired.size(), 1U);
  deliverer.purge(expired, clock.wall());
  ASSERT_EQ(copy().end, End::moved);
  Store there = open(target, StoreUse::receive);
  EXPECT_GT(there.put(std::vector{incoming("next", "c")})[0].id, last);
  EXPECT_EQ(there.put(std::vector{incoming("first", "a")})[0].id, first) << "a repeat is known";
}

TEST_P(CopyTest, WaitingOnesAreClaimedInOrderAndWhatRanHasAHigherAttempt) {
  const auto ids = put_many(20);
  std::set<std::int64_t> ran;
  for (const Claimed& each : claim(deliverer, "log", 9)) ran.insert(each.alert_id);
  ASSERT_GE(ran.size(), 9U);
  ASSERT_LT(ran.size(), ids.size());
  ASSERT_EQ(copy().end, End::moved);
  Store there = open(target, StoreUse::deliver);
  std::vector<std::int64_t> claimed;
  for (const Claimed& each : claim(there)) {
    claimed.push_back(each.alert_id);
    EXPECT_EQ(each.attempt, ran.contains(each.alert_id) ? 2 : 1) << each.alert_id;
  }
  EXPECT_EQ(claimed, ids);
}

TEST_P(CopyTest, WhoFollowsAnAlarmFollowsIt) {
  Incoming fires = incoming("fires", "a", {"page"}), clears = incoming("clears", "a", {});
  fires.change = AlarmChange::fires;
  fires.following = {"page"};
  clears.change = AlarmChange::clears;
  clears.followers = {"page"};
  put(fires);
  ASSERT_EQ(copy().end, End::moved);
  const std::int64_t id = open(target, StoreUse::receive).put(std::vector{clears})[0].id;
  EXPECT_EQ(open(target, StoreUse::read).show(id)->deliveries.at(0).action, "page");
}

TEST_P(CopyTest, CutOffAnywhereItCanBeTriedAgain) {
  const auto ids = put_many(600);
  int cut_off = 0;
  for (bool moved = false; !moved; ++cut_off) {
    portions_left = cut_off + 1;
    try {
      moved = copy().end == End::moved;
    } catch (const std::runtime_error& error) {
      ASSERT_STREQ(error.what(), "cut off");
      EXPECT_NE(refusal(target.settings).find("unfinished copy of"), std::string::npos) << refusal(target.settings);
      // The source lives on.
      for (const Claimed& claimed : claim(deliverer, "log", 10)) mark(claimed, Mark::Kind::delivered, "exit 0");
      put(incoming("meanwhile" + std::to_string(cut_off), "m"));
      clock.advance(milliseconds(1));
      deliverer.purge(deliverer.expired(clock.wall(), 5), clock.wall());
    }
  }
  EXPECT_EQ(cut_off, 1 + 2 * (2 + 2 + 1 + 1 + 1 + 1)) << "each portion of both ways through";
  EXPECT_EQ(alerts(target), 600 + cut_off - 1 - 5 * (cut_off - 1));
}

TEST_P(CopyTest, CutOffBetweenClosingAndOpeningItIsEnded) {
  put_many(3);
  ASSERT_EQ(copy().end, End::moved);
  Store there = open(target, StoreUse::read);
  const std::string expected = text_of(there);
  target.execute("ALTER TABLE alert RENAME TO closed_alert");
  target.execute("UPDATE meta SET version = 0");
  target.execute("INSERT INTO process VALUES ('copy', '', 0, 0, 0, '', '" + copy_name(source.settings.url, "here") +
                 "')");
  EXPECT_NE(refusal(source.settings), "");
  EXPECT_NE(refusal(target.settings), "");
  EXPECT_EQ(copy().end, End::moved);
  Store again = open(target, StoreUse::read);
  EXPECT_EQ(text_of(again), expected);
}

TEST_P(CopyTest, TwiceItIsDoneOnce) {
  put_many(3);
  ASSERT_EQ(copy().end, End::moved);
  Store there = open(target, StoreUse::deliver);
  ASSERT_EQ(claim(there).size(), 3U);
  const Copied again = copy();
  EXPECT_EQ(again.end, End::moved);
  EXPECT_TRUE(again.tables.empty());
  EXPECT_EQ(open(target, StoreUse::read).show(1)->state(), "running");
}

TEST_P(CopyTest, WhoHadTheSourceOpenStoresAndDeliversNothingMore) {
  put_many(3);
  ASSERT_EQ(copy().end, End::moved);
  EXPECT_THROW(put(incoming("late", "a")), StoreError);
  EXPECT_THROW(claim(deliverer), StoreError);
  for (Store* store : {&receiver, &deliverer}) {
    try {
      store->connect();
      FAIL() << "open";
    } catch (const StoreError& error) {
      EXPECT_NE(std::string(error.what()).find("was moved to " + copy_name(target.settings.url, "here")),
                std::string::npos)
          << error.what();
    }
  }
  EXPECT_EQ(alerts(target), 3);
}

TEST_P(CopyTest, BackIntoTheSpoolThatItCameFrom) {
  put_many(600);
  ASSERT_EQ(copy().end, End::moved);
  open(target, StoreUse::receive).put(std::vector{incoming("there", "t")});
  Store there = open(target, StoreUse::read);
  const std::string expected = text_of(there);
  ASSERT_EQ(copy(target.settings, source.settings).end, End::moved);
  Store back = open(source, StoreUse::read);
  EXPECT_EQ(text_of(back), expected);
  EXPECT_NE(refusal(target.settings).find("was moved to"), std::string::npos);
}

TEST_P(CopyTest, RefusedWhileADelivererIsAlive) {
  put_many(3);
  std::optional<Store> other(std::in_place, source.settings, StoreUse::deliver, clock);
  ASSERT_TRUE(other->become_deliverer());
  other->announce({"deliverer", "there", 1, clock.wall(), "log:1", ""});
  EXPECT_EQ(copy().end, End::served);
  EXPECT_EQ(refusal(source.settings), "");
  other.reset();
  clock.advance(milliseconds(30'001));
  EXPECT_EQ(copy().end, End::moved);
}

TEST_P(CopyTest, TargetWithAlertsOfItsOwnStaysAsItIs) {
  put_many(3);
  open(target, StoreUse::receive).put(std::vector{incoming("own", "own")});
  const Copied copied = copy();
  EXPECT_EQ(copied.end, End::refused);
  EXPECT_NE(copied.why.find("holds alerts of its own"), std::string::npos) << copied.why;
  EXPECT_EQ(alerts(target), 1);
  EXPECT_EQ(alerts(source), 3);
}

TEST_P(CopyTest, TargetThatIsACopyOfAnotherStaysAsItIs) {
  put_many(3);
  portions_left = 1;
  EXPECT_THROW(copy(), std::runtime_error);
  target.execute("UPDATE process SET note = 'another'");
  const Copied copied = copy();
  EXPECT_EQ(copied.end, End::refused);
  EXPECT_NE(copied.why.find("is an unfinished copy of another"), std::string::npos) << copied.why;
  EXPECT_EQ(copy(target.settings, source.settings).end, End::refused) << "neither is it a source";
  EXPECT_EQ(alerts(source), 3);
}

TEST_P(CopyTest, NewTargetMayBeInUseAlready) {
  put_many(3);
  Store early = open(target, StoreUse::receive);
  early.connect();
  portions_left = 1;
  EXPECT_THROW(copy(), std::runtime_error);
  EXPECT_THROW(early.put(std::vector{incoming("early", "e")}), StoreError);
  EXPECT_EQ(copy().end, End::moved);
  EXPECT_GT(early.put(std::vector{incoming("early", "e")})[0].id, 3);
  EXPECT_EQ(alerts(target), 4);
}

TEST_P(CopyTest, EmptySpoolMovesToo) {
  receiver.connect();
  EXPECT_EQ(copy().end, End::moved);
  EXPECT_EQ(alerts(target), 0);
  EXPECT_EQ(open(target, StoreUse::receive).put(std::vector{incoming("first", "a")})[0].id, 1);
}

TEST_P(CopyTest, ThatASpoolIsItsOwnTargetIsNoticed) {
  receiver.connect();
  StoreSettings again = source.settings;
  if (std::string(GetParam().from) == "sqlite") {
    std::filesystem::create_symlink(source.directory.path("spool.db"), target.directory.path("same.db"));
    again.url = "sqlite:" + target.directory.path("same.db");
  } else {
    again.url += "&application_name=again";
  }
  EXPECT_EQ(copy(source.settings, again).end, End::refused);
  EXPECT_EQ(refusal(source.settings), "");
  put_many(3);
  EXPECT_EQ(copy(source.settings, again).end, End::refused);
  EXPECT_EQ(alerts(source), 3);
}

TEST_P(CopyTest, WhatDiffersInTheEndIsSaid) {
  put_many(3);
  portions_left = 1;
  EXPECT_THROW(copy(), std::runtime_error);
  if (std::string(GetParam().to) == "sqlite") {
    target.execute("CREATE TRIGGER t AFTER INSERT ON delivery BEGIN UPDATE delivery SET due = 1; END");
  } else {
    target.execute("CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.due = 1; RETURN NEW; END'");
    target.execute("CREATE TRIGGER t BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION t()");
  }
  const Copied copied = copy();
  EXPECT_EQ(copied.end, End::refused);
  EXPECT_NE(copied.why.find("table delivery differs: 3 rows"), std::string::npos) << copied.why;
  EXPECT_EQ(alerts(source), 3);
  EXPECT_NE(refusal(target.settings), "");
}

TEST_P(CopyTest, NewerSchemaIsRefusedOnBothSides) {
  put_many(3);
  open(target, StoreUse::receive).connect();
  for (TestSpool* spool : {&target, &source}) {
    spool->execute("UPDATE meta SET version = 2");
    EXPECT_THROW(copy(), StoreError);
    spool->execute("UPDATE meta SET version = 1");
  }
  EXPECT_EQ(copy().end, End::moved);
}

TEST_P(CopyTest, MissingSourceMakesNoTarget) {
  EXPECT_THROW(copy(), StoreError);
  for (const TestSpool* spool : {&source, &target}) EXPECT_THROW(open(*spool, StoreUse::operate).connect(), StoreError);
}

}  // namespace
}  // namespace alertspool
