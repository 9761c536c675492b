#include "store/store.h"

#include "base/file_lock.h"
#include "spools.h"
#include "store/session.h"
#include "store/store_impl.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <regex>
#include <thread>

namespace alertspool {
namespace {

constexpr milliseconds kNoLimit{24LL * 3600 * 1000};

class StoreBase : public testing::Test {
protected:
  explicit StoreBase(const std::string& kind) : spool(kind, clock) {}
  void SetUp() override {
    if (spool.missing()) GTEST_SKIP() << "no PostgreSQL here";
  }

  Incoming incoming(const std::string& digest, const std::string& alarm = "a",
                    std::vector<std::string> actions = {"log"}) {
    Incoming incoming;
    incoming.callback.received = clock.wall();
    incoming.callback.remote_addr = "47.74.206.1";
    incoming.callback.content_type = "application/x-www-form-urlencoded";
    incoming.callback.body = "alertName=" + digest;
    incoming.digest = digest;
    incoming.alarm = alarm;
    incoming.severity = "WARN";
    incoming.actions = std::move(actions);
    return incoming;
  }
  /// An alert that `page` takes and follows, and the OK of its alarm, which `page` takes as a follower only.
  std::pair<Incoming, Incoming> episode() {
    Incoming fires = incoming("fires", "a", {"page"});
    fires.change = AlarmChange::fires;
    fires.following = {"page"};
    Incoming clears = incoming("clears", "a", {});
    clears.change = AlarmChange::clears;
    clears.followers = {"page"};
    return {fires, clears};
  }
  /// So many of one alarm. Returns the id of the first.
  std::int64_t put_flood(int count) {
    std::vector<Incoming> flood;
    for (int i = 0; i < count; ++i) flood.push_back(incoming("flood" + std::to_string(i), "flood"));
    return receiver.put(flood)[0].id;
  }
  Put put(const Incoming& one) { return receiver.put(std::vector{one})[0]; }
  std::vector<Claimed> claim(int limit = 100, const std::string& action = "log") {
    return deliverer.claim(action, limit, lease, kNoLimit).taken;
  }
  std::size_t mark(const Claimed& claimed, Mark::Kind kind, milliseconds later = milliseconds(0)) {
    Mark mark;
    mark.alert_id = claimed.alert_id;
    mark.action = claimed.action;
    mark.kind = kind;
    mark.due = clock.wall() + later;
    mark.attempt = claimed.attempt;
    mark.started = clock.wall();
    mark.outcome = kind == Mark::Kind::delivered ? "exit 0" : "exit 75";
    mark.output = "said so";
    return deliverer.mark(std::vector{mark}, lease);
  }
  std::vector<Expired> purge(WallTime before) {
    const auto expired = deliverer.expired(before, 500);
    deliverer.purge(expired, before);
    return expired;
  }
  std::string state(std::int64_t id) { return receiver.show(id)->state(); }
  static std::vector<std::int64_t> alerts(const std::vector<Claimed>& claims) {
    std::vector<std::int64_t> ids;
    for (const Claimed& claimed : claims) ids.push_back(claimed.alert_id);
    return ids;
  }

  FakeClock clock;
  TestSpool spool;
  StoreSettings& settings = spool.settings;
  const TemporaryDirectory& directory = spool.directory;
  Store receiver{settings, StoreUse::receive, clock};
  Store deliverer{settings, StoreUse::deliver, clock};
  Lease lease{"host-1-1", "host", milliseconds(30'000)};
};

using StoreTest = OnEach<StoreBase>;
INSTANTIATE_TEST_SUITE_P(Both, StoreTest, kDatabases, name_of);

class SqliteStore : public StoreBase {
protected:
  SqliteStore() : StoreBase("sqlite") {}
};

class PostgresStore : public StoreBase {
protected:
  PostgresStore() : StoreBase("postgresql") {}
};

using Ids = std::vector<std::int64_t>;

TEST_P(StoreTest, StoresEachCallbackUnderAnIdOfItsOwn) {
  const auto puts = receiver.put(std::vector{incoming("d1"), incoming("d2")});
  ASSERT_EQ(puts.size(), 2U);
  EXPECT_LT(puts[0].id, puts[1].id);
  EXPECT_FALSE(puts[0].duplicate);
  EXPECT_FALSE(puts[1].duplicate);
}

TEST_P(StoreTest, KeepsTheCallbackAsItCame) {
  Incoming one = incoming("d1");
  one.callback.body = std::string("a=\\x\0&b=\xff\xfe%", 12);
  one.callback.query = "team=db";
  one.callback.token = "main";
  one.callback.test = true;
  const auto record = receiver.show(put(one).id);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->callback.body, one.callback.body);
  EXPECT_EQ(record->callback.query, "team=db");
  EXPECT_EQ(record->callback.token, "main");
  EXPECT_EQ(record->callback.remote_addr, "47.74.206.1");
  EXPECT_EQ(record->callback.received, one.callback.received);
  EXPECT_TRUE(record->callback.test);
  EXPECT_EQ(record->alarm, "a");
  EXPECT_EQ(record->severity, "WARN");
}

TEST_P(StoreTest, RepeatIsADuplicateOfTheFirstAndDeliveredOnce) {
  const Put first = put(incoming("d1"));
  const Put again = put(incoming("d1"));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(receiver.show(first.id)->duplicates, 1);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(StoreTest, RepeatsInsideOneBatchAreDuplicates) {
  const auto puts = receiver.put(std::vector{incoming("d1"), incoming("d2"), incoming("d1"), incoming("d1")});
  EXPECT_FALSE(puts[0].duplicate);
  EXPECT_FALSE(puts[1].duplicate);
  EXPECT_TRUE(puts[2].duplicate);
  EXPECT_TRUE(puts[3].duplicate);
  EXPECT_EQ(puts[3].id, puts[0].id);
  EXPECT_EQ(receiver.show(puts[0].id)->duplicates, 2);
  const auto later = receiver.put(std::vector{incoming("d1"), incoming("d1")});
  EXPECT_TRUE(later[0].duplicate);
  EXPECT_TRUE(later[1].duplicate);
  EXPECT_EQ(receiver.show(puts[0].id)->duplicates, 4);
}

TEST_P(StoreTest, BatchesOfEverySizeAreStoredWhole) {
  std::size_t total = 0;
  for (const int size : {1, 2, 3, 7, 63, 64, 65, 130, 200}) {
    std::vector<Incoming> batch;
    for (int i = 0; i < size; ++i)
      batch.push_back(incoming(std::to_string(size) + "-" + std::to_string(i), std::to_string(i)));
    const auto puts = receiver.put(batch);
    ASSERT_EQ(puts.size(), batch.size());
    for (std::size_t i = 0; i < puts.size(); ++i)
      EXPECT_EQ(receiver.show(puts[i].id)->callback.body, batch[i].callback.body);
    total += puts.size();
  }
  EXPECT_EQ(receiver.status().alerts, static_cast<std::int64_t>(total));
}

TEST_P(StoreTest, DeliveriesOfOneAlarmAreClaimedInOrderOfArrival) {
  Ids expected;
  for (int i = 0; i < 10; ++i) expected.push_back(put(incoming("d" + std::to_string(i))).id);
  EXPECT_EQ(alerts(claim()), expected);
}

TEST_P(StoreTest, ClaimTakesHeadsOfManyAlarmsBeforeTheQueueOfOne) {
  const std::int64_t first = put_flood(100);
  const std::int64_t other = put(incoming("other", "other")).id;
  EXPECT_EQ(alerts(claim(4)), (Ids{first, first + 1, other}));
}

TEST_P(StoreTest, WhatIsDueDoesNotWaitUntilAHugeQueueIsSorted) {
  const std::int64_t first = put_flood(1'200);
  const std::int64_t other = put(incoming("other", "other")).id;
  Claims claims = deliverer.claim("log", 4, lease, kNoLimit);
  EXPECT_EQ(alerts(claims.taken), Ids{first});
  EXPECT_TRUE(claims.more);
  claims = deliverer.claim("log", 4, lease, kNoLimit);
  EXPECT_TRUE(claims.taken.empty());
  EXPECT_TRUE(claims.more);
  claims = deliverer.claim("log", 4, lease, kNoLimit);
  EXPECT_EQ(alerts(claims.taken), Ids{other});
  EXPECT_FALSE(claims.more);
}

TEST_P(StoreTest, AClaimThatTookAllItWasAskedForSaysThatThereMayBeMore) {
  put(incoming("d1", "a"));
  put(incoming("d2", "b"));
  EXPECT_TRUE(deliverer.claim("log", 1, lease, kNoLimit).more);
  EXPECT_FALSE(deliverer.claim("log", 2, lease, kNoLimit).more);
  EXPECT_FALSE(deliverer.claim("log", 1, lease, kNoLimit).more);
}

TEST_P(StoreTest, HeadsBeyondTheRoomAreClaimedNext) {
  std::vector<Incoming> batch;
  for (int i = 0; i < 6; ++i) batch.push_back(incoming("d" + std::to_string(i), "alarm" + std::to_string(i)));
  const std::int64_t first = receiver.put(batch)[0].id;
  EXPECT_EQ(alerts(claim(4)), (Ids{first, first + 1, first + 2, first + 3}));
  EXPECT_EQ(alerts(claim(4)), (Ids{first + 4, first + 5}));
}

TEST_P(StoreTest, TriesAndNewOnesTakeTurnsByTime) {
  const std::int64_t old = put(incoming("old", "a")).id;
  mark(claim()[0], Mark::Kind::later, milliseconds(1'000));
  clock.advance(milliseconds(500));
  const std::int64_t before = put(incoming("before", "b")).id;
  clock.advance(milliseconds(1'000));
  EXPECT_EQ(alerts(claim(1)), Ids{before});
  const std::int64_t after = put(incoming("after", "c")).id;
  EXPECT_EQ(alerts(claim(1)), Ids{old});
  EXPECT_EQ(alerts(claim(1)), Ids{after});
}

TEST_P(StoreTest, ClaimedDeliveryIsNotClaimedAgainBeforeItsLeaseEnds) {
  put(incoming("d1"));
  EXPECT_EQ(claim().size(), 1U);
  const Lease other{"host-2-1", "host", milliseconds(30'000)};
  clock.advance(milliseconds(29'000));
  EXPECT_TRUE(deliverer.claim("log", 10, other, kNoLimit).taken.empty());
}

TEST_P(StoreTest, EndedLeaseIsClaimedByAnotherAndTheLateMarkChangesNothing) {
  put(incoming("d1"));
  const auto claims = claim(1);
  ASSERT_EQ(claims.size(), 1U);
  const Lease other{"host-2-1", "host", milliseconds(30'000)};
  clock.advance(milliseconds(31'000));
  const auto again = deliverer.claim("log", 10, other, kNoLimit).taken;
  ASSERT_EQ(alerts(again), alerts(claims));
  EXPECT_EQ(again[0].attempt, 2);
  EXPECT_EQ(mark(claims[0], Mark::Kind::delivered), 0U);
  EXPECT_EQ(state(claims[0].alert_id), "running");
}

TEST_P(StoreTest, RenewedLeaseDoesNotEnd) {
  put(incoming("d1"));
  ASSERT_EQ(claim(1).size(), 1U);
  clock.advance(milliseconds(20'000));
  deliverer.renew(std::vector<Held>{{1, "log"}}, lease);
  clock.advance(milliseconds(20'000));
  const Lease other{"host-2-1", "host", milliseconds(30'000)};
  EXPECT_TRUE(deliverer.claim("log", 10, other, kNoLimit).taken.empty());
}

TEST_P(StoreTest, WhatItsOwnerDoesNotKnowOfIsGivenBackWhenTheLeaseIsRenewed) {
  const std::int64_t held = put(incoming("held", "a")).id;
  ASSERT_EQ(alerts(claim()), Ids{held});
  const std::int64_t first = put(incoming("first", "b")).id, second = put(incoming("second", "b")).id;
  ASSERT_EQ(alerts(claim()), (Ids{first, second})) << "and the answer is lost";
  clock.advance(milliseconds(31'000));
  ASSERT_TRUE(claim().empty());
  deliverer.renew(std::vector<Held>{{held, "log"}}, lease);
  const auto again = claim();
  EXPECT_EQ(alerts(again), (Ids{first, second}));
  EXPECT_EQ(again.at(0).attempt, 1) << "it was never tried";
  const Lease other{"host-2-1", "host", milliseconds(30'000)};
  EXPECT_TRUE(deliverer.claim("log", 10, other, kNoLimit).taken.empty());
}

TEST_F(SqliteStore, TakeOverMakesRunningOnesDueWithAHigherAttempt) {
  const std::int64_t first = put(incoming("d1")).id;
  const std::int64_t second = put(incoming("d2")).id;
  ASSERT_EQ(claim().size(), 2U);
  deliverer.take_over();
  const auto claims = claim();
  EXPECT_EQ(alerts(claims), (Ids{first, second}));
  EXPECT_EQ(claims[0].attempt, 2);
}

TEST_P(StoreTest, LaterOneWaitsForTheEarlierOfItsAlarmOnly) {
  const std::int64_t first = put(incoming("d1")).id;
  const auto head = claim();
  ASSERT_EQ(head.size(), 1U);
  put(incoming("d2"));
  const std::int64_t elsewhere = put(incoming("d3", "b")).id;
  EXPECT_EQ(alerts(claim()), Ids{elsewhere});
  mark(head[0], Mark::Kind::later, milliseconds(10'000));
  EXPECT_TRUE(claim().empty());
  clock.advance(milliseconds(10'001));
  const auto both = claim();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].alert_id, first);
  EXPECT_EQ(both[0].attempt, 2);
}

TEST_P(StoreTest, GivenUpOneLetsTheNextOfItsAlarmGo) {
  const std::int64_t first = put(incoming("d1")).id;
  const auto head = claim();
  const std::int64_t second = put(incoming("d2")).id;
  mark(head[0], Mark::Kind::failed);
  EXPECT_EQ(state(first), "failed");
  EXPECT_EQ(alerts(claim()), Ids{second});
}

TEST_P(StoreTest, ReleasedOneIsAsIfNeverClaimed) {
  put(incoming("d1"));
  mark(claim()[0], Mark::Kind::released);
  const auto again = claim();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].attempt, 1);
  EXPECT_TRUE(receiver.show(again[0].alert_id)->deliveries[0].tries.empty());
}

TEST_P(StoreTest, HeadThatIsTriedLaterHoldsThoseThatWereReleasedBehindIt) {
  const std::int64_t first = put(incoming("d1")).id;
  const std::int64_t second = put(incoming("d2")).id;
  const auto claims = claim();
  ASSERT_EQ(claims.size(), 2U);
  mark(claims[0], Mark::Kind::later, milliseconds(5'000));
  mark(claims[1], Mark::Kind::released);
  EXPECT_TRUE(claim().empty());
  clock.advance(milliseconds(5'001));
  EXPECT_EQ(alerts(claim()), (Ids{first, second}));
}

TEST_P(StoreTest, ActionsOfOneAlertDoNotWaitForEachOther) {
  put(incoming("d1", "a", {"log", "page"}));
  EXPECT_EQ(claim(10, "log").size(), 1U);
  EXPECT_EQ(claim(10, "page").size(), 1U);
}

TEST_P(StoreTest, AttemptsAreKeptWithOutcomeAndOutput) {
  const std::int64_t id = put(incoming("d1")).id;
  mark(claim()[0], Mark::Kind::later);
  mark(claim()[0], Mark::Kind::delivered);
  const auto record = receiver.show(id);
  ASSERT_EQ(record->deliveries.size(), 1U);
  const DeliveryRecord& delivery = record->deliveries[0];
  EXPECT_EQ(delivery.state, "delivered");
  EXPECT_EQ(delivery.last, "exit 0");
  ASSERT_EQ(delivery.tries.size(), 2U);
  EXPECT_EQ(delivery.tries[0].outcome, "exit 75");
  EXPECT_EQ(delivery.tries[1].number, 2);
  EXPECT_EQ(delivery.tries[1].host, "host");
  EXPECT_EQ(delivery.tries[1].output, "said so");
}

TEST_P(StoreTest, ClockSetBackAnHourStrandsNothing) {
  put(incoming("d1"));
  mark(claim()[0], Mark::Kind::later, milliseconds(10'000));
  clock.set_wall(clock.wall() - std::chrono::hours(1));
  EXPECT_EQ(deliverer.claim("log", 10, lease, milliseconds(660'000)).taken.size(), 1U);
}

TEST_P(StoreTest, FollowerGetsEverythingOfItsAlarmUntilItsOk) {
  const auto with = [&](const std::string& digest, AlarmChange change, bool critical) {
    Incoming one = incoming(digest, "a", {});
    one.change = change;
    (critical ? one.actions : one.followers).push_back("page");
    if (critical) one.following.push_back("page");
    return put(one).id;
  };
  with("warn first", AlarmChange::fires, false);
  const std::int64_t critical = with("critical", AlarmChange::fires, true);
  const std::int64_t warn = with("warn", AlarmChange::fires, false);
  const std::int64_t no_data = with("no data", AlarmChange::none, false);
  const std::int64_t ok = with("ok", AlarmChange::clears, false);
  with("next episode", AlarmChange::fires, false);
  EXPECT_EQ(alerts(claim(10, "page")), (Ids{critical, warn, no_data, ok}));
}

TEST_P(StoreTest, FollowWorksInsideOneBatch) {
  const auto [fires, clears] = episode();
  Incoming after = clears;
  after.digest = "after";
  const auto puts = receiver.put(std::vector{fires, clears, after});
  EXPECT_EQ(alerts(claim(10, "page")), (Ids{puts[0].id, puts[1].id}));
}

TEST_P(StoreTest, AlertThatNoActionTakesIsKeptAsUnmatched) {
  const std::int64_t id = put(incoming("d1", "a", {})).id;
  EXPECT_EQ(state(id), "unmatched");
  Filter filter;
  filter.state = "unmatched";
  EXPECT_EQ(listed(receiver, filter).size(), 1U);
  EXPECT_EQ(receiver.status().unmatched, 1);
}

TEST_P(StoreTest, UndecodableIsKeptWithoutDeliveriesTheNewestThousand) {
  std::vector<Incoming> batch;
  for (int i = 0; i < 1003; ++i) {
    batch.push_back(incoming("d" + std::to_string(i), ""));
    batch.back().undecodable = "no field at all";
  }
  const auto puts = receiver.put(batch);
  EXPECT_EQ(state(puts[0].id), "undecodable");
  EXPECT_TRUE(claim().empty());
  const auto purged = purge(clock.wall() - kNoLimit);
  ASSERT_EQ(purged.size(), 3U);
  EXPECT_EQ(purged[0].alert_id, puts[0].id);
  EXPECT_EQ(receiver.status().undecodable, 1000);
}

TEST_P(StoreTest, PurgeTakesWhatEndedAndNeverWhatWaits) {
  const std::int64_t delivered = put(incoming("delivered", "a")).id;
  mark(claim()[0], Mark::Kind::delivered);
  const std::int64_t failed = put(incoming("failed", "b")).id;
  mark(claim()[0], Mark::Kind::failed);
  const std::int64_t waiting = put(incoming("waiting", "c")).id;
  clock.advance(kNoLimit);
  const std::int64_t young = put(incoming("young", "d", {})).id;
  const auto purged = purge(clock.wall() - milliseconds(1));
  ASSERT_EQ(purged.size(), 2U);
  EXPECT_EQ(purged[0].alert_id, delivered);
  EXPECT_FALSE(purged[0].failed);
  EXPECT_EQ(purged[1].alert_id, failed);
  EXPECT_TRUE(purged[1].failed);
  EXPECT_FALSE(receiver.show(delivered));
  EXPECT_TRUE(receiver.show(waiting));
  EXPECT_TRUE(receiver.show(young));
}

TEST_P(StoreTest, PurgeForgetsAnAlarmWithTheLastOfItsAlerts) {
  auto [fires, clears] = episode();
  const std::int64_t first = put(fires).id;
  mark(claim(100, "page")[0], Mark::Kind::delivered);
  clock.advance(kNoLimit + kNoLimit);
  const WallTime second_time = clock.wall();
  fires.callback.received = second_time;
  fires.digest = "fires still";
  const std::int64_t second = put(fires).id;
  mark(claim(100, "page")[0], Mark::Kind::delivered);

  ASSERT_EQ(purge(second_time).size(), 1U);
  EXPECT_FALSE(receiver.show(first));
  const std::int64_t followed = put(clears).id;
  EXPECT_EQ(state(followed), "pending");
  mark(claim(100, "page")[0], Mark::Kind::delivered);

  clock.advance(kNoLimit + kNoLimit);
  fires.callback.received = clock.wall();
  fires.digest = "fires again";
  put(fires);
  mark(claim(100, "page")[0], Mark::Kind::delivered);
  clock.advance(milliseconds(1));
  ASSERT_EQ(purge(clock.wall()).size(), 3U);
  EXPECT_FALSE(receiver.show(second));
  clears.digest = "clears again";
  EXPECT_EQ(state(put(clears).id), "unmatched") << "the alarm is not known";
}

TEST_P(StoreTest, OneThatIsRetriedBeforeThePurgeStays) {
  const std::int64_t id = put(incoming("d1")).id;
  mark(claim()[0], Mark::Kind::failed);
  clock.advance(kNoLimit);
  const auto expired = deliverer.expired(clock.wall(), 500);
  ASSERT_EQ(expired.size(), 1U);
  receiver.retry(Ids{id}, "");
  deliverer.purge(expired, clock.wall());
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(StoreTest, IdOfAPurgedAlertIsNotUsedAgain) {
  const std::int64_t id = put(incoming("d1", "a", {})).id;
  clock.advance(kNoLimit);
  ASSERT_EQ(purge(clock.wall()).size(), 1U);
  EXPECT_GT(put(incoming("d2", "a", {})).id, id);
}

TEST_P(StoreTest, RetryMakesAFailedOneDueNow) {
  const std::int64_t id = put(incoming("d1")).id;
  mark(claim()[0], Mark::Kind::failed);
  EXPECT_EQ(receiver.retry(Ids{id}, ""), 1U);
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(alerts(claim()), Ids{id});
  EXPECT_EQ(receiver.retry(Ids{id}, ""), 0U);
}

TEST_P(StoreTest, RetryOfANewOneKeepsItBehindTheEarlierOfItsAlarm) {
  const std::int64_t first = put(incoming("d1")).id;
  const std::int64_t second = put(incoming("d2")).id;
  EXPECT_EQ(receiver.retry(std::vector{second}, ""), 1U);
  EXPECT_EQ(alerts(claim(1)), Ids{first});
  EXPECT_TRUE(claim(1).empty());
}

TEST_P(StoreTest, DroppedNewOneIsNotClaimed) {
  EXPECT_EQ(receiver.drop(std::vector{put(incoming("d1")).id}, ""), 1U);
  const std::int64_t second = put(incoming("d2")).id;
  EXPECT_EQ(alerts(claim()), Ids{second});
}

TEST_P(StoreTest, RetryMakesAWaitingOneDueNow) {
  const std::int64_t id = put(incoming("d1")).id;
  mark(claim()[0], Mark::Kind::later, kNoLimit);
  ASSERT_TRUE(claim().empty());
  EXPECT_EQ(receiver.retry(Ids{id}, "page"), 0U);
  EXPECT_EQ(receiver.retry(Ids{id}, "log"), 1U);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(StoreTest, DropPutsAwayAndLetsTheNextOfTheAlarmGo) {
  const std::int64_t first = put(incoming("d1")).id;
  mark(claim()[0], Mark::Kind::later, kNoLimit);
  const std::int64_t second = put(incoming("d2")).id;
  EXPECT_EQ(receiver.drop(Ids{first}, ""), 1U);
  EXPECT_EQ(state(first), "dropped");
  EXPECT_EQ(alerts(claim()), Ids{second});
}

TEST_P(StoreTest, ListIsNewestFirstAndFiltered) {
  const std::int64_t first = put(incoming("d1", "a")).id;
  clock.advance(milliseconds(1000));
  const std::int64_t second = put(incoming("d2", "b", {"page"})).id;
  const auto ids = [&](const Filter& filter) {
    Ids found;
    for (const Record& record : listed(receiver, filter)) found.push_back(record.id);
    return found;
  };
  Filter filter;
  EXPECT_EQ(ids(filter), (Ids{second, first}));
  filter.action = "page";
  EXPECT_EQ(ids(filter), Ids{second});
  filter = {};
  filter.alarm = "a";
  EXPECT_EQ(ids(filter), Ids{first});
  filter = {};
  filter.since = clock.wall();
  EXPECT_EQ(ids(filter), Ids{second});
  filter = {};
  filter.until = clock.wall();
  EXPECT_EQ(ids(filter), Ids{first});
  filter = {};
  filter.state = "pending";
  EXPECT_EQ(ids(filter), (Ids{second, first}));
}

TEST_P(StoreTest, ListGoesOnOverPagesUntilItIsTold) {
  const std::int64_t first = put_flood(500);
  int seen = 0;
  std::int64_t last = 0;
  receiver.list({}, [&](const Record& record) {
    last = record.id;
    return ++seen < 450;
  });
  EXPECT_EQ(seen, 450);
  EXPECT_EQ(last, first + 50);
  EXPECT_EQ(listed(receiver).size(), 500U);
}

TEST_P(StoreTest, StatusCountsWhatIsThere) {
  put(incoming("d1", "a"));
  mark(claim()[0], Mark::Kind::delivered);
  clock.advance(milliseconds(5000));
  const WallTime waiting = clock.wall();
  put(incoming("d2", "a"));
  RefusalCount refusal;
  refusal.reason = "token";
  refusal.count = 1;
  refusal.last = clock.wall();
  refusal.address = "47.74.206.9";
  refusal.allowed_address = true;
  receiver.count_refusals(std::vector{refusal});
  receiver.count_refusals(std::vector{refusal});
  ProcessInfo process;
  process.role = "deliverer";
  process.host = "host";
  process.pid = 7;
  process.note = "configuration stale";
  deliverer.announce(process);
  const Status status = receiver.status();
  EXPECT_EQ(status.alerts, 2);
  ASSERT_EQ(status.deliveries.size(), 2U);
  EXPECT_EQ(status.deliveries[0].state, "delivered");
  EXPECT_EQ(status.deliveries[1].state, "pending");
  EXPECT_EQ(status.oldest_waiting, waiting);
  EXPECT_EQ(status.last_callback, waiting);
  ASSERT_EQ(status.refusals.size(), 1U);
  EXPECT_EQ(status.refusals[0].count, 2);
  EXPECT_TRUE(status.refusals[0].allowed_address);
  ASSERT_EQ(status.processes.size(), 1U);
  EXPECT_EQ(status.processes[0].note, "configuration stale");
  EXPECT_EQ(status.processes[0].heard, clock.wall());
  deliverer.leave(process);
  EXPECT_TRUE(receiver.status().processes.empty());
}

TEST_P(StoreTest, StatusCountsADeliveryInTheStateThatItHas) {
  using Counts = std::map<std::string, std::int64_t>;
  const auto counts = [&] {
    Counts said;
    for (const auto& [action, state, count] : receiver.status().deliveries) said[action + ' ' + state] = count;
    return said;
  };
  const std::int64_t first = put(incoming("d1", "a", {"log", "page"})).id;
  const std::int64_t second = put(incoming("d2", "a")).id;
  EXPECT_EQ(counts(), (Counts{{"log pending", 2}, {"page pending", 1}}));
  const auto claimed = claim(1);
  EXPECT_EQ(counts(), (Counts{{"log pending", 1}, {"log running", 1}, {"page pending", 1}}));
  mark(claimed[0], Mark::Kind::delivered);
  mark(claim()[0], Mark::Kind::failed);
  mark(claim(1, "page")[0], Mark::Kind::later, milliseconds(60'000));
  EXPECT_EQ(counts(), (Counts{{"log delivered", 1}, {"log failed", 1}, {"page pending", 1}}));
  receiver.drop(Ids{first}, "page");
  receiver.retry(Ids{second}, "");
  EXPECT_EQ(counts(), (Counts{{"log delivered", 1}, {"log pending", 1}, {"page dropped", 1}}));
  mark(claim()[0], Mark::Kind::delivered);
  EXPECT_EQ(counts(), (Counts{{"log delivered", 2}, {"page dropped", 1}}));
  clock.advance(kNoLimit);
  put(incoming("d3", "a"));
  purge(clock.wall() - milliseconds(1));
  EXPECT_EQ(counts(), (Counts{{"log pending", 1}}));
}

TEST_P(StoreTest, FullSpoolRefusesAndTakesAgainWhenThereIsRoom) {
  StoreSettings small = settings;
  small.max_waiting = 2;
  Store limited(small, StoreUse::receive, clock);
  limited.put(std::vector{incoming("d1", "a")});
  limited.put(std::vector{incoming("d2", "b")});
  EXPECT_THROW(limited.put(std::vector{incoming("d3", "c")}), StoreFull);
  for (const Claimed& claimed : claim()) mark(claimed, Mark::Kind::delivered);
  clock.advance(milliseconds(1001));
  EXPECT_FALSE(limited.put(std::vector{incoming("d3", "c")})[0].duplicate);
}

TEST_F(SqliteStore, RefusesWhenTheDiskIsAtItsFloor) {
  StoreSettings greedy = settings;
  greedy.free_space_floor = INT64_MAX;
  Store limited(greedy, StoreUse::receive, clock);
  EXPECT_THROW(limited.put(std::vector{incoming("d1")}), StoreFull);
}

TEST_F(SqliteStore, BackupIsASpoolOfItsOwn) {
  const std::int64_t id = put(incoming("d1")).id;
  receiver.backup(directory.path("copy.db"));
  StoreSettings copy = settings;
  copy.url = "sqlite:" + directory.path("copy.db");
  Store other(copy, StoreUse::operate, clock);
  EXPECT_EQ(other.show(id)->callback.body, "alertName=d1");
}

TEST_F(SqliteStore, OnlyOneDelivererPerSpool) {
  put(incoming("d1"));
  Store second(settings, StoreUse::deliver, clock);
  EXPECT_TRUE(deliverer.become_deliverer());
  EXPECT_FALSE(second.become_deliverer());
}

TEST_F(SqliteStore, NewSpoolIsOpenToItsGroupOnly) {
  const mode_t before = umask(022);
  put(incoming("d1"));
  umask(before);
  for (const char* name : {"spool.db", "spool.db-wal", "spool.db-shm", "spool.db-lock"}) {
    struct stat info {};
    ASSERT_EQ(stat(directory.path(name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 07777, 0660U) << name;
  }
}

TEST_F(SqliteStore, OnlyTheReceiverMakesASpool) {
  EXPECT_THROW(deliverer.connect(), StoreError);
  EXPECT_FALSE(std::filesystem::exists(directory.path("spool.db")));
  receiver.connect();
  deliverer.connect();
}

TEST_P(StoreTest, InitMakesASpoolOnceOnly) {
  EXPECT_TRUE(receiver.init());
  EXPECT_FALSE(receiver.init());
}

TEST_F(SqliteStore, LockOfAnotherProcessIsWaitedForAndThenReported) {
  put(incoming("d1"));
  FileLock other(directory.path("spool.db-lock"));
  ASSERT_TRUE(other.lock_writer(std::chrono::steady_clock::now()));
  EXPECT_THROW(put(incoming("d2")), StoreError);
  other.unlock_writer();
  EXPECT_FALSE(put(incoming("d2")).duplicate);
}

TEST_F(SqliteStore, AfterAFailedWriteTheNextProcessWritesTheLogBack) {
  const std::string log = directory.path("spool.db-wal"), doubt = directory.path("spool.db-unsynced");
  Store failing(settings, StoreUse::receive, clock);
  const std::int64_t id = failing.put(std::vector{incoming("stored")})[0].id;
  deliverer.connect();  // so that the log stays
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{std::filesystem::file_size(log), before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &full);
  EXPECT_THROW(failing.put(std::vector{incoming("lost")}), StoreError);
  setrlimit(RLIMIT_FSIZE, &before);
  (void)signal(SIGXFSZ, handler);
  Store(settings, StoreUse::read, clock).connect();
  ASSERT_TRUE(std::filesystem::exists(doubt)) << "who reads writes nothing back";

  receiver.connect();
  EXPECT_FALSE(std::filesystem::exists(doubt));
  StoreSettings alone = settings;
  alone.url = "sqlite:" + directory.path("alone.db");
  std::filesystem::copy(directory.path("spool.db"), directory.path("alone.db"));
  EXPECT_TRUE(Store(alone, StoreUse::operate, clock).show(id)) << "it is in the database itself";
}

TEST_F(SqliteStore, WhoReadsARestoredBackupDoesNotChangeIt) {
  put(incoming("one"));
  StoreSettings restored = settings;
  const std::string path = directory.path("restored.db");
  restored.url = "sqlite:" + path;
  Store(settings, StoreUse::read, clock).backup(path);
  const auto before = std::filesystem::last_write_time(path);
  EXPECT_TRUE(Store(restored, StoreUse::read, clock).show(1));
  EXPECT_EQ(std::filesystem::last_write_time(path), before);
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
}

TEST_F(SqliteStore, LeftOpenAShortLogStaysForTheNextProcess) {
  {
    Store last(settings, StoreUse::receive, clock);
    last.put(std::vector{incoming("one")});
    last.leave_open();
  }
  EXPECT_TRUE(std::filesystem::exists(directory.path("spool.db-wal")));
  EXPECT_TRUE(put(incoming("one")).duplicate);
}

TEST_F(SqliteStore, LeftOpenALongLogIsWrittenBack) {
  {
    Store last(settings, StoreUse::receive, clock);
    for (int i = 0; i < 100; ++i) last.put(std::vector{incoming(std::to_string(i))});
    last.leave_open();
  }
  EXPECT_FALSE(std::filesystem::exists(directory.path("spool.db-wal")));
}

TEST_F(SqliteStore, NewerSchemaIsRefused) {
  receiver.connect();
  Session session("sqlite3", directory.path("spool.db"));
  session.execute("UPDATE meta SET version = 2");
  EXPECT_THROW(deliverer.connect(), StoreError);
}

struct Damage {
  const char* name;
  const char* content;
  const char* expected;
};

class DamagedSpool : public SqliteStore, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedSpool, IsRefusedAndNeverReplaced) {
  const std::string path = directory.path("spool.db");
  std::ofstream(path) << GetParam().content;
  const auto size = std::filesystem::file_size(path);
  try {
    put(incoming("d1"));
    FAIL() << "stored in a damaged spool";
  } catch (const StoreError& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().expected), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
  }
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedSpool,
                         testing::Values(Damage{"Empty", "", "empty (0 bytes)"},
                                         Damage{"Text", "this is no database, it is a letter", "not a database"}),
                         [](const auto& damage) { return damage.param.name; });

TEST_F(SqliteStore, LogWithoutItsSpoolIsRefused) {
  std::ofstream(directory.path("spool.db-wal")) << "left over";
  EXPECT_THROW(put(incoming("d1")), StoreError);
  EXPECT_FALSE(std::filesystem::exists(directory.path("spool.db")));
}

TEST_F(SqliteStore, LinkThatLeadsNowhereIsRefusedAndNotReplaced) {
  for (const char* target : {"unmounted/spool.db", "spool.db"}) {
    std::filesystem::create_symlink(target, directory.path("spool.db"));
    EXPECT_THROW(put(incoming("d1")), StoreError);
    EXPECT_EQ(std::filesystem::read_symlink(directory.path("spool.db")), target);
    std::filesystem::remove(directory.path("spool.db"));
  }
}

TEST_F(SqliteStore, MissingDirectoryIsNamed) {
  StoreSettings elsewhere = settings;
  elsewhere.url = "sqlite:" + directory.path("missing/spool.db");
  Store lost(elsewhere, StoreUse::receive, clock);
  try {
    lost.connect();
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_NE(std::string(error.what()).find("missing"), std::string::npos);
  }
}

TEST_F(SqliteStore, UnknownUrlIsRefused) {
  StoreSettings other = settings;
  for (const char* url : {"mysql://host/db", "sqlite:relative.db", "sqlite:", "sqlite:/a=b.db", ""}) {
    other.url = url;
    EXPECT_THROW(Store(other, StoreUse::receive, clock), StoreError) << url;
  }
}

/// What the store says when it refuses to connect.
std::string refusal(Store& store) {
  try {
    store.connect();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "";
}

TEST_F(PostgresStore, OneOfManyReceiversMakesTheSpool) {
  std::vector<std::jthread> threads;
  std::atomic<int> made = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { made += Store(settings, StoreUse::receive, clock).init() ? 1 : 0; });
  threads.clear();
  EXPECT_EQ(made, 1);
}

TEST_F(PostgresStore, OnlyTheReceiverMakesASpool) {
  EXPECT_NE(refusal(deliverer).find("`alertspool init`"), std::string::npos);
  receiver.connect();
  EXPECT_EQ(refusal(deliverer), "");
}

TEST_F(PostgresStore, NewerSchemaIsRefused) {
  receiver.connect();
  spool.session().execute("UPDATE meta SET version = version + 1");
  EXPECT_NE(refusal(deliverer).find("schema version"), std::string::npos);
}

/// Else a system's upgrade that orders words anew damages indexes.
TEST_F(PostgresStore, TextIsInTheOrderOfItsBytes) {
  receiver.connect();
  const Statement other{
      "SELECT count(*) FROM information_schema.columns WHERE table_schema = ? AND data_type = 'text' "
      "AND coalesce(collation_name, '') <> 'C'",
      "", "s", "i"};
  EXPECT_EQ(integer(spool.session().run(other, {spool.schema()})[0][0]), 0);
}

struct Setting {
  const char* name;
  const char* value;
};

class PostgresSetting : public PostgresStore, public testing::WithParamInterface<Setting> {};

TEST_P(PostgresSetting, ThatLosesAlertsIsRefused) {
  spool.session().execute(std::string("CREATE FUNCTION current_setting(text) RETURNS text LANGUAGE sql AS "
                                      "'SELECT CASE $1 WHEN ''") +
                          GetParam().name + "'' THEN ''" + GetParam().value +
                          "'' ELSE pg_catalog.current_setting($1) END'");
  EXPECT_NE(refusal(receiver).find(GetParam().value), std::string::npos) << refusal(receiver);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PostgresSetting,
                         testing::Values(Setting{"synchronous_commit", "off"}, Setting{"fsync", "off"},
                                         Setting{"server_encoding", "LATIN1"}),
                         [](const auto& setting) { return std::string(setting.param.name); });

TEST_F(PostgresStore, SaysWhyItCannotBeOpenedAndNeverThePassword) {
  const std::string socket = "host=" + PostgresServer::get().directory();
  const std::pair<const char*, const char*> cases[] = {
      {"postgresql://u:se%63ret@/postgres?host=/nowhere", "No such file"},
      {"postgresql://u:secret@127.0.0.1:1,127.0.0.1:2/d", "port 2 failed: Connection refused"},
      {"postgresql://nobody:secret@/postgres?", "role \"nobody\" does not exist"},
      {"postgresql://postgres:secret@/nothing?", "database \"nothing\" does not exist"},
      {"postgresql://postgres:secret@[::1/d", "IPv6"},
      {"postgresql://postgres@/d?password=secret&sslmode=never", "never"},
  };
  for (const auto& [url, expected] : cases) {
    settings.url = url + (std::string_view(url).ends_with('?') ? socket : "");
    Store store(settings, StoreUse::receive, clock);
    const std::string said = refusal(store);
    EXPECT_NE(said.find(expected), std::string::npos) << said;
    EXPECT_EQ(said.find("ret"), std::string::npos) << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
}

TEST_F(PostgresStore, MissingRightIsNamed) {
  spool.session().execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA " +
                          spool.schema() + " TO guest");
  settings.url = "postgresql://guest@" + settings.url.substr(settings.url.find("@") + 1);
  Store guest(settings, StoreUse::receive, clock);
  EXPECT_NE(refusal(guest).find("permission denied for schema " + spool.schema()), std::string::npos);
}

TEST_F(PostgresStore, ConnectionThatWasCutWhileItRestedIsNoticedAndNothingIsLost) {
  put(incoming("d1"));
  spool.session().execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE application_name = 'alertspool' AND pid <> pg_backend_pid()");
  EXPECT_FALSE(put(incoming("d2")).duplicate);
}

TEST_F(PostgresStore, ClockOfTheServerDecides) {
  FakeClock ahead;
  ahead.advance(std::chrono::hours(1));
  Store fast(settings, StoreUse::deliver, ahead);
  receiver.connect();
  Incoming one = incoming("d1");
  one.callback.received = ahead.wall();
  const std::int64_t id = put(one).id;
  one = incoming("d2", "b");
  one.callback.received = ahead.wall();
  const std::int64_t second = put(one).id;
  const auto first = fast.claim("log", 1, lease, kNoLimit).taken;
  ASSERT_EQ(alerts(first), Ids{id});
  EXPECT_EQ(alerts(claim(1)), Ids{second}) << "due by the server's time, though received an hour later";
  Mark mark;
  mark.alert_id = id;
  mark.action = "log";
  mark.kind = Mark::Kind::later;
  mark.due = ahead.wall() + milliseconds(10'000);
  ASSERT_EQ(fast.mark(std::vector{mark}, lease), 1U);
  EXPECT_EQ(fast.next_due({"log"}, lease), mark.due);
  EXPECT_EQ(deliverer.next_due({"log"}, lease), clock.wall() + milliseconds(10'000));
  EXPECT_TRUE(fast.claim("log", 1, lease, kNoLimit).taken.empty());
  clock.advance(milliseconds(10'001));
  EXPECT_EQ(alerts(claim(1)), Ids{id});
  const Lease other{"host-2-1", "host", milliseconds(30'000)};
  EXPECT_TRUE(fast.claim("log", 1, other, kNoLimit).taken.empty()) << "its lease has not ended by the server's time";
}

TEST_F(PostgresStore, AlertsOfOneAlarmAreStoredOneAfterTheOther) {
  receiver.connect();
  Session& session = spool.session();
  session.execute(
      "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END'");
  session.execute("CREATE TRIGGER hold BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION hold()");
  session.execute("SELECT pg_advisory_lock(42)");
  const auto waiting = [&] {
    const Statement count{"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "", "", "i"};
    return integer(session.run(count)[0][0]);
  };
  const auto [fires, clears] = episode();
  std::jthread first([&] { put(fires); });
  while (waiting() < 1) std::this_thread::yield();
  std::atomic<bool> stored = false;
  std::jthread second([&] {
    Store(settings, StoreUse::receive, clock).put(std::vector{clears});
    stored = true;
  });
  while (waiting() < 2 && !stored) std::this_thread::yield();
  session.execute("SELECT pg_advisory_unlock(42)");
  first.join();
  second.join();
  EXPECT_EQ(claim(10, "page").size(), 2U);
}

/// Waits for a standby that never comes, as all commits do meanwhile.
class PostgresStandby : public PostgresStore {
protected:
  void SetUp() override {
    PostgresStore::SetUp();
    if (IsSkipped()) return;
    settings.lock_timeout = milliseconds(1000);
    receiver.connect();
    stand_by("nobody");
  }
  void TearDown() override {
    if (!IsSkipped()) stand_by("");
  }
  void stand_by(const std::string& names) {
    Session& session = spool.session();
    session.execute("SET synchronous_commit = local");
    session.execute("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'");
    session.execute("SELECT pg_reload_conf()");
    const Statement show{"SHOW synchronous_standby_names", "", "", "s"};
    while (text(Session("postgresql", settings.url).run(show)[0][0]) != names) std::this_thread::yield();
  }
  std::int64_t waiting() {
    const Statement count{"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "", "", "i"};
    return integer(spool.session().run(count)[0][0]);
  }
};

TEST_F(PostgresStandby, CommitThatDoesNotEndIsGivenUpAndLeavesNothingBehind) {
  Store store(settings, StoreUse::receive, clock);
  for (int tries = 0; tries < 3; ++tries) {
    const auto start = std::chrono::steady_clock::now();
    const std::string name = std::to_string(tries);  // an alarm of its own, for which nobody waits
    EXPECT_THROW(store.put(std::vector{incoming(name, name)}), StoreError);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    EXPECT_LE(waiting(), 1);
  }
  stand_by("");
  EXPECT_TRUE(store.put(std::vector{incoming("0", "0")})[0].duplicate);
  while (waiting() > 0) std::this_thread::yield();
}

TEST_F(PostgresStandby, CancelledWaitIsNoSuccess) {
  settings.lock_timeout = std::chrono::seconds(60);
  Store store(settings, StoreUse::receive, clock);
  std::atomic<bool> thrown = false;
  std::jthread committer([&] {
    try {
      store.put(std::vector{incoming("d1")});
    } catch (const StoreError& error) {
      thrown = std::string(error.what()).find("synchronous replication") != std::string::npos;
    }
  });
  while (waiting() < 1) std::this_thread::yield();
  spool.session().execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  committer.join();
  EXPECT_TRUE(thrown);
}

TEST_F(PostgresStore, ServerThatStandsStillIsGivenUp) {
  settings.lock_timeout = milliseconds(3000);
  Store store(settings, StoreUse::receive, clock);
  store.connect();
  const Statement find{
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'alertspool' AND pid <> "
      "pg_backend_pid() ORDER BY backend_start DESC LIMIT 1",
      "", "", "i"};
  const auto pid = static_cast<pid_t>(integer(spool.session().run(find)[0][0]));
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  std::vector<Put> puts;
  EXPECT_NO_THROW(puts = store.put(std::vector{incoming("d1")})) << "by another connection";
  kill(pid, SIGCONT);
  ASSERT_EQ(puts.size(), 1U);
  EXPECT_FALSE(puts[0].duplicate);
}

class PostgresPlans : public PostgresStore {
protected:
  static constexpr std::int64_t kLanes = 300;

  /// A lane for each, all claimed and given back, so that their heads are due.
  void fill_lanes() {
    std::vector<Incoming> batch;
    for (int i = 0; i < kLanes; ++i) batch.push_back(incoming("d" + std::to_string(i), std::to_string(i)));
    receiver.put(batch);
    for (const Claimed& claimed : claim(kLanes)) mark(claimed, Mark::Kind::released);
  }
  /// The most rows that a step of the plan looks at.
  std::int64_t most_rows(const Statement& statement, const std::vector<Value>& values) {
    Session& session = spool.session();
    // As in the sessions of those who deliver.
    session.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off");
    const std::string sql = std::string("EXPLAIN ANALYZE ") + statement.sql;
    const std::regex read("actual .* rows=(\\d+) loops=(\\d+)"), removed("Removed by .*: (\\d+)");
    long long most = 0, loops = 1;
    for (const Row& row : session.run({sql.c_str(), "", statement.more, "s"}, values)) {
      std::smatch numbers;
      if (std::regex_search(text(row[0]), numbers, read)) {
        loops = std::stoll(numbers[2]);
        most = std::max(most, std::stoll(numbers[1]) * loops);
      } else if (std::regex_search(text(row[0]), numbers, removed)) {
        most = std::max(most, std::stoll(numbers[1]) * loops);
      }
    }
    return most;
  }
};

TEST_F(PostgresPlans, LookForWhatExpiredReadsNoMoreThanItLists) {
  fill_lanes();
  spool.session().execute("UPDATE delivery SET state = 'delivered', due = NULL; ANALYZE");
  std::vector<Value> values{ms(clock.wall()) + 1};
  values.resize(std::strlen(sql::kExpired.more), std::int64_t{5});
  EXPECT_LE(most_rows(sql::kExpired, values), 5);
}

TEST_F(PostgresPlans, ClaimOfHeadsReadsEachLaneByItself) {
  fill_lanes();
  const std::int64_t now = ms(clock.wall());
  EXPECT_EQ(most_rows(sql::kClaimHeads, {"me", now, "log", "log", now, kLanes}), kLanes);
}

/// Receivers and deliverers on many machines at once.
TEST_F(PostgresStore, ManyAtOnceDeliverEachOnceAndEachAlarmInOrder) {
  constexpr int kReceivers = 3, kDeliverers = 3, kBatches = 20, kEach = 10, kAlarms = 7;
  receiver.connect();
  std::vector<std::jthread> threads;
  std::atomic<int> storing = kReceivers;
  std::atomic<int> fresh = 0;
  // Every alert is stored by two receivers, in opposite orders.
  for (int r = 0; r < kReceivers; ++r)
    threads.emplace_back([&, r] {
      Store store(settings, StoreUse::receive, clock);
      for (int b = 0; b < kBatches; ++b) {
        std::vector<Incoming> batch;
        for (int i = 0; i < kEach; ++i) {
          const int mine = r / 2 * 1000 + b * kEach + i;
          batch.push_back(incoming("d" + std::to_string(mine), "alarm" + std::to_string(mine % kAlarms)));
        }
        if (r % 2 == 1) std::reverse(batch.begin(), batch.end());
        for (const Put& put : store.put(batch)) fresh += put.duplicate ? 0 : 1;
      }
      --storing;
    });
  std::mutex mutex;
  std::map<std::string, std::vector<std::int64_t>> delivered;  // by alarm
  std::map<std::string, std::string> running;                  // alarm, and whose
  bool overtaken = false;
  for (int d = 0; d < kDeliverers; ++d)
    threads.emplace_back([&, d] {
      Store store(settings, StoreUse::deliver, clock);
      const Lease mine{"host-" + std::to_string(d), "host", milliseconds(30'000)};
      for (bool last = false; !last;) {
        last = storing == 0;
        for (const Claimed& claimed : store.claim("log", 5, mine, kNoLimit).taken) {
          last = false;
          {
            const std::lock_guard guard(mutex);
            std::string& whose = running.try_emplace(claimed.alarm, mine.owner).first->second;
            overtaken |= whose != mine.owner;
            delivered[claimed.alarm].push_back(claimed.alert_id);
          }
          Mark mark;
          mark.alert_id = claimed.alert_id;
          mark.action = "log";
          const std::lock_guard guard(mutex);  // so that nobody claims the next before `running` is told
          running.erase(claimed.alarm);
          EXPECT_EQ(store.mark(std::vector{mark}, mine), 1U);
        }
      }
    });
  threads.clear();
  EXPECT_FALSE(overtaken);
  EXPECT_EQ(fresh, 2 * kBatches * kEach);
  std::size_t total = 0;
  for (const auto& [alarm, ids] : delivered) {
    total += ids.size();
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end())) << alarm;
  }
  EXPECT_EQ(total, static_cast<std::size_t>(2 * kBatches * kEach));
  const Status status = receiver.status();
  ASSERT_EQ(status.deliveries.size(), 1U);
  EXPECT_EQ(status.deliveries[0].state, "delivered");
}

}  // namespace
}  // namespace alertspool
