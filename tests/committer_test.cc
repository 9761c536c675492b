#include "store/committer.h"

#include "base/file_lock.h"
#include "spools.h"
#include "store/copy.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

namespace alertspool {
namespace {

using std::chrono::seconds;

/// Each look at it is an hour later: a disk that takes hours, and waits without end.
class SlowClock final : public Clock {
public:
  WallTime wall() const noexcept override { return SystemClock().wall(); }
  SteadyTime steady() const noexcept override { return begun_ + ++looks_ * std::chrono::hours(1); }

private:
  const SteadyTime begun_ = std::chrono::steady_clock::now();
  mutable std::atomic<int> looks_{0};
};

class CommitterBase : public testing::Test {
protected:
  explicit CommitterBase(const std::string& kind) : spool(kind, server_clock) {}
  void SetUp() override {
    if (spool.missing()) GTEST_SKIP() << "no PostgreSQL here";
  }

  static Incoming incoming(const std::string& digest) {
    Incoming incoming;
    incoming.callback.body = "alertName=" + digest;
    incoming.digest = digest;
    incoming.alarm = digest;
    incoming.actions = {"log"};
    return incoming;
  }
  /// Queues it; the future gets the answer, and a second answer would throw.
  std::future<PutResult> put(Committer& committer, const std::string& digest, milliseconds patience = seconds(60)) {
    auto promise = std::make_shared<std::promise<PutResult>>();
    committer.put(incoming(digest), clock.steady() + patience,
                  [promise](const PutResult& r) { promise->set_value(r); });
    return promise->get_future();
  }
  static bool stored(std::future<PutResult> answer) { return std::holds_alternative<Put>(answer.get()); }
  std::int64_t alerts() { return Store(settings, StoreUse::read, clock).status().alerts; }

  FakeClock server_clock;
  TestSpool spool;
  SystemClock clock;
  StoreSettings& settings = spool.settings;
  const TemporaryDirectory& directory = spool.directory;
};

using CommitterTest = OnEach<CommitterBase>;
INSTANTIATE_TEST_SUITE_P(Both, CommitterTest, kDatabases, name_of);

class CommitterOnSqlite : public CommitterBase {
protected:
  CommitterOnSqlite() : CommitterBase("sqlite") {}
};

TEST_P(CommitterTest, AnswersEachWithItsOwnIdOnceItIsStored) {
  Store store(settings, StoreUse::receive, clock);
  std::atomic<std::size_t> stored_in_all{0};
  Committer committer(store, clock, [&](std::size_t stored) { stored_in_all += stored; });
  std::vector<std::future<PutResult>> answers;
  for (int i = 0; i < 1000; ++i) answers.push_back(put(committer, "d" + std::to_string(i)));
  std::set<std::int64_t> ids;
  for (auto& answer : answers) ids.insert(std::get<Put>(answer.get()).id);
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_TRUE(committer.stop(clock.steady() + seconds(60)));
  EXPECT_EQ(stored_in_all, 1000U);
  EXPECT_EQ(alerts(), 1000);
}

TEST_P(CommitterTest, OnASlowDiskACommitWaitsForThoseWhoWereThereBefore) {
  const SlowClock slow;
  Store store(settings, StoreUse::receive, clock);
  Committer committer(store, slow, [](std::size_t) {});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(stored(put(committer, std::to_string(i))));
  std::future<PutResult> answers[3];
  std::promise<void> answered;
  // Answers are given between two commits: these two are in one commit, and "again" is alone in the queue behind it.
  committer.put(incoming("before"), SteadyTime::max(), [&](const PutResult&) {
    answers[0] = put(committer, "first");
    committer.put(incoming("second"), SteadyTime::max(), [&](const PutResult&) {
      answers[1] = put(committer, "again");
      answered.set_value();
    });
  });
  answered.get_future().wait();
  EXPECT_EQ(answers[1].wait_for(milliseconds(100)), std::future_status::timeout);
  answers[2] = put(committer, "again too");
  for (auto& answer : answers) EXPECT_TRUE(stored(std::move(answer)));
}

/// A sender that tries again at once is not done with its tries before there is another spool.
TEST_P(CommitterTest, WhoComesWhenTheSpoolHasMovedWaitsASecondOrForTheEnd) {
  Store store(settings, StoreUse::receive, clock);
  Committer committer(store, clock, [](std::size_t) {});
  EXPECT_TRUE(stored(put(committer, "before")));
  StoreSettings other = settings;
  other.url = "sqlite:" + directory.path("other.db");
  ASSERT_EQ(copy_spool(settings, other, "here", clock, [](const std::string&, std::int64_t) {}).end,
            Copied::End::moved);
  EXPECT_FALSE(stored(put(committer, "finds its table gone")));
  const SteadyTime begun = clock.steady();
  EXPECT_FALSE(stored(put(committer, "waits")));
  EXPECT_GE(clock.steady() - begun, seconds(1));
  auto answer = put(committer, "is there at the end");
  EXPECT_TRUE(committer.stop(clock.steady() + seconds(60)));
  EXPECT_NE(std::get<NotStored>(answer.get()).reason.find("was moved to"), std::string::npos);
}

TEST_P(CommitterTest, StopStoresWhatIsQueuedAndTakesNothingMore) {
  Store store(settings, StoreUse::receive, clock);
  Committer committer(store, clock, [](std::size_t) {});
  auto before = put(committer, "before");
  EXPECT_TRUE(committer.stop(clock.steady() + seconds(60)));
  EXPECT_TRUE(stored(std::move(before)));
  EXPECT_FALSE(stored(put(committer, "after")));
  EXPECT_EQ(alerts(), 1);
}

TEST_F(CommitterOnSqlite, ExpiredOneIsAnsweredOnceAndStoredAllTheSame) {
  Store store(settings, StoreUse::receive, clock);
  store.connect();
  settings.lock_timeout = seconds(60);
  Store patient(settings, StoreUse::receive, clock);
  FileLock stranger(directory.path("spool.db-lock"));
  ASSERT_TRUE(stranger.lock_writer(clock.steady()));
  Committer committer(patient, clock, [](std::size_t) {});
  auto first = put(committer, "first", milliseconds(0));
  committer.expire(clock.steady());
  EXPECT_FALSE(stored(std::move(first)));
  std::string reason;
  EXPECT_FALSE(committer.healthy(&reason)) << "who waits for the lock says nothing";
  auto repeat = put(committer, "first");
  stranger.unlock_writer();
  const PutResult answer = repeat.get();
  ASSERT_TRUE(std::holds_alternative<Put>(answer));
  EXPECT_TRUE(committer.healthy(&reason));
  EXPECT_TRUE(committer.stop(clock.steady() + seconds(60)));
  EXPECT_EQ(alerts(), 1);
}

TEST_F(CommitterOnSqlite, LockThatIsHeldIsAnAnswerAndNotALoss) {
  Store store(settings, StoreUse::receive, clock);
  store.connect();
  FileLock stranger(directory.path("spool.db-lock"));
  ASSERT_TRUE(stranger.lock_writer(clock.steady()));
  Committer committer(store, clock, [](std::size_t) {});
  EXPECT_FALSE(stored(put(committer, "d1")));
  std::string reason;
  EXPECT_FALSE(committer.healthy(&reason));
  EXPECT_NE(reason.find("lock"), std::string::npos) << reason;
  stranger.unlock_writer();
  EXPECT_TRUE(stored(put(committer, "d1")));
  EXPECT_TRUE(committer.healthy(&reason));
}

TEST_F(CommitterOnSqlite, WhatWaitsIsBoundedAlsoByLongQueries) {
  settings.lock_timeout = seconds(60);
  std::atomic<int> refused{0};
  Store store(settings, StoreUse::receive, clock);
  store.connect();
  Committer committer(store, clock, [](std::size_t) {});
  FileLock stranger(directory.path("spool.db-lock"));
  ASSERT_TRUE(stranger.lock_writer(clock.steady()));
  for (int i = 0; i < 300 && refused == 0; ++i) {
    Incoming one = incoming(std::to_string(i));
    one.callback.query.resize(1 << 20);
    committer.put(std::move(one), SteadyTime::max(), [&](const PutResult& result) {
      const auto* why = std::get_if<NotStored>(&result);
      if (why && why->reason.starts_with("too many")) ++refused;
    });
  }
  EXPECT_EQ(refused, 1);
}

TEST_F(CommitterOnSqlite, HealedSpoolIsNoticedWithoutTraffic) {
  std::ofstream(directory.path("spool.db")) << "no database";
  Store store(settings, StoreUse::receive, clock);
  Committer committer(store, clock, [](std::size_t) {});
  EXPECT_FALSE(stored(put(committer, "d1")));
  std::string reason;
  ASSERT_FALSE(committer.healthy(&reason));
  std::filesystem::remove(directory.path("spool.db"));
  const SteadyTime deadline = clock.steady() + seconds(60);
  while (!committer.healthy(&reason) && clock.steady() < deadline) std::this_thread::yield();
  EXPECT_TRUE(committer.healthy(&reason)) << reason;
}

TEST_P(CommitterTest, RefusalsAreAddedUpAndStored) {
  Store store(settings, StoreUse::receive, clock);
  {
    Committer committer(store, clock, [](std::size_t) {});
    RefusalCount refusal;
    refusal.reason = "token";
    refusal.count = 1;
    for (int i = 0; i < 500; ++i) committer.count_refusal(refusal);
    refusal.reason = "address";
    committer.count_refusal(refusal);
    EXPECT_TRUE(stored(put(committer, "d1")));
  }
  const Status status = Store(settings, StoreUse::read, clock).status();
  ASSERT_EQ(status.refusals.size(), 2U);
  EXPECT_EQ(status.refusals[0].reason, "address");
  EXPECT_EQ(status.refusals[0].count, 1);
  EXPECT_EQ(status.refusals[1].count, 500);
}

TEST_P(CommitterTest, AnnouncesTheProcess) {
  Store store(settings, StoreUse::receive, clock);
  {
    Committer committer(store, clock, [](std::size_t) {});
    ProcessInfo process;
    process.role = "receiver";
    process.note = "configuration stale";
    committer.announce(process);
  }
  const Status status = Store(settings, StoreUse::read, clock).status();
  ASSERT_EQ(status.processes.size(), 1U);
  EXPECT_EQ(status.processes[0].note, "configuration stale");
}

}  // namespace
}  // namespace alertspool
