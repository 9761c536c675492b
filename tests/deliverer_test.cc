#include "deliver/deliverer.h"

#include "base/fd.h"
#include "base/file_lock.h"
#include "deliver/action.h"
#include "spools.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace alertspool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Outcome::Kind;
using Signal = Deliverer::Events::Signal;

/// What the test says of all fake actions, and what they tell it.
struct Script {
  int room = 100;
  milliseconds takes{0};  ///< each try runs for so long
  milliseconds turn{20};  ///< how far the clock goes in each turn of the loop
  std::function<Outcome(const Task&)> outcome = [](const Task&) { return Outcome{Kind::delivered, "exit 0", "", {}}; };
  std::function<void()> on_turn = [] {};

  std::vector<std::string> started;  ///< "action:alert#attempt"
  int turns = 0;
  int terminated = 0;  ///< how often that was called
  int most_at_once = 0;
  bool overtaken = false;  ///< two of one alarm and action ran at once
};

/// Ends each try as the script says, when its time is over.
class FakeAction final : public Action {
public:
  FakeAction(Script& script, FakeClock& clock, std::string name)
      : script_(script), clock_(clock), name_(std::move(name)) {}

  int room() const noexcept override { return script_.room - static_cast<int>(running_.size()); }
  void start(Task task, SteadyTime now) override {
    script_.started.push_back(name_ + ':' + std::to_string(task.view.stored.id) + '#' +
                              std::to_string(task.attempt.number));
    for (const auto& [id, other] : running_) script_.overtaken |= other.task.view.alert.alarm == task.view.alert.alarm;
    const Outcome outcome = script_.outcome(task);
    running_.emplace(task.alert_id, Running{task, outcome, now + script_.takes});
    script_.most_at_once = std::max(script_.most_at_once, static_cast<int>(running_.size()));
  }
  /// The caller polls next: time passes.
  void poll_for(std::vector<pollfd>& /*fds*/, SteadyTime& until) const override {
    clock_.advance(script_.turn);
    until = clock_.steady();
    ++script_.turns;
    script_.on_turn();
  }
  void proceed(SteadyTime now) override {
    for (auto at = running_.begin(); at != running_.end();) {
      const bool over = now >= at->second.end;
      if (over) ended_.push_back({at->first, at->second.outcome});
      at = over ? running_.erase(at) : std::next(at);
    }
  }
  void terminate(SteadyTime now) override {
    ++script_.terminated;
    for (auto& [id, running] : running_) {
      running.outcome = {Kind::later, "signal 15 (Terminated)", "", {}};
      running.end = now;
    }
  }

private:
  struct Running {
    Task task;
    Outcome outcome;
    SteadyTime end;
  };

  Script& script_;
  FakeClock& clock_;
  std::string name_;
  std::map<std::int64_t, Running> running_;
};

/// The store's: it really waits for locks.
class StoreClock final : public Clock {
public:
  explicit StoreClock(const FakeClock& clock) : clock_(clock) {}
  WallTime wall() const noexcept override { return clock_.wall(); }
  SteadyTime steady() const noexcept override { return std::chrono::steady_clock::now(); }

private:
  const FakeClock& clock_;
};

class DelivererBase : public testing::Test {
protected:
  explicit DelivererBase(const std::string& kind) : spool(kind, clock) {}
  void SetUp() override {
    if (spool.missing()) GTEST_SKIP() << "no PostgreSQL here";
    receiver.connect();
    settings.host = "here";
    settings.actions = {action("log")};
  }

  static ActionConfig action(const std::string& name) {
    ActionConfig config;
    config.route.action = name;
    return config;
  }
  Incoming incoming(const std::string& alarm, std::vector<std::string> actions = {"log"}) {
    Incoming incoming;
    incoming.callback.received = clock.wall();
    incoming.callback.remote_addr = "47.74.206.1";
    incoming.callback.content_type = "application/x-www-form-urlencoded";
    incoming.callback.body = "userId=1&ruleId=" + alarm;
    incoming.digest = std::to_string(++puts);
    incoming.alarm = alarm;
    incoming.actions = std::move(actions);
    return incoming;
  }
  std::int64_t put(const std::string& alarm, std::vector<std::string> actions = {"log"}) {
    return receiver.put(std::vector{incoming(alarm, std::move(actions))})[0].id;
  }
  void put_flood(int count) {
    std::vector<Incoming> batch;
    for (int n = 0; n < count; ++n) batch.push_back(incoming("flood"));
    receiver.put(batch);
  }
  /// From now on each byte written to what it returns is that signal.
  Fd make_signals(Signal signal) {
    Pipe pipe = make_pipe();
    signals = std::move(pipe.read);
    events.signal_fd = signals.get();
    events.on_signal = [this, signal] {
      char byte = 0;
      EXPECT_EQ(read(signals.get(), &byte, 1), 1);
      return signal;
    };
    return std::move(pipe.write);
  }
  void run(bool once = true) {
    Deliverer deliverer(store, clock, settings, events, [this](const ActionConfig& config) {
      return std::make_unique<FakeAction>(script, clock, config.route.action);
    });
    deliverer.run(once);
  }
  /// Runs until `turns` turns of the loop are over, then stops it as the receiver's end does.
  void run_for(int turns) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    const Fd lifetime(pipe_ends[0]);
    Fd receiver_end(pipe_ends[1]);
    events.lifetime_fd = lifetime.get();
    const int last = script.turns + turns;
    const auto before = script.on_turn;
    script.on_turn = [&] {
      before();
      if (script.turns >= last) receiver_end.reset();
    };
    run(false);
    script.on_turn = before;
    events.lifetime_fd = -1;
  }
  DeliveryRecord delivery(std::int64_t id, std::size_t which = 0) { return receiver.show(id)->deliveries.at(which); }
  std::string state(std::int64_t id) { return receiver.show(id)->state(); }
  std::vector<Claimed> claim_elsewhere(int limit = 100) {
    const Lease other{"elsewhere-1", "elsewhere", seconds(30)};
    return receiver.claim("log", limit, other, hours(24)).taken;
  }
  Outcome once_later(const Task& task) const {
    if (task.attempt.number == 1) return {Kind::later, "exit 75", "", {}};
    return {Kind::delivered, "exit 0", "", {}};
  }

  FakeClock clock;
  StoreClock store_clock{clock};
  TestSpool spool;
  Store receiver{spool.settings, StoreUse::receive, store_clock};
  Store store{spool.settings, StoreUse::deliver, store_clock};
  DelivererSettings settings;
  Deliverer::Events events;
  Fd signals;
  Script script;
  int puts = 0;
};

using DelivererTest = OnEach<DelivererBase>;
INSTANTIATE_TEST_SUITE_P(Both, DelivererTest, kDatabases, name_of);

/// Its lock keeps the store away.
class DelivererWithoutStore : public DelivererBase {
protected:
  DelivererWithoutStore() : DelivererBase("sqlite") {}
};

using Started = std::vector<std::string>;

TEST_P(DelivererTest, DeliversWhatIsDueAndRecordsTheAttempt) {
  const std::int64_t id = put("a");
  script.outcome = [](const Task&) { return Outcome{Kind::delivered, "exit 0", "paged Li", milliseconds(120)}; };
  run();
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  const DeliveryRecord record = delivery(id);
  EXPECT_EQ(record.state, "delivered");
  ASSERT_EQ(record.tries.size(), 1U);
  EXPECT_EQ(record.tries[0].number, 1);
  EXPECT_EQ(record.tries[0].host, "here");
  EXPECT_EQ(record.tries[0].outcome, "exit 0");
  EXPECT_EQ(record.tries[0].output, "paged Li");
  EXPECT_EQ(record.tries[0].duration, milliseconds(120));
}

TEST_P(DelivererTest, HandsTheWholeAlertToTheAction) {
  put("a");
  std::optional<Task> seen;
  script.outcome = [&](const Task& task) {
    seen = task;
    return Outcome{};
  };
  const WallTime received = clock.wall();
  run();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->view.stored.id, 1);
  EXPECT_EQ(seen->view.stored.received, to_rfc3339(received));
  EXPECT_EQ(seen->view.alert.origin.remote_addr, "47.74.206.1");
  EXPECT_EQ(value_of(seen->view.alert.fields, "ruleId"), "a");
  EXPECT_EQ(seen->attempt.action, "log");
}

TEST_P(DelivererTest, EachActionGetsItsOwn) {
  settings.actions = {action("log"), action("page")};
  put("a", {"log", "page"});
  put("b", {"page"});
  run();
  std::sort(script.started.begin(), script.started.end());
  EXPECT_EQ(script.started, (Started{"log:1#1", "page:1#1", "page:2#1"}));
}

TEST_P(DelivererTest, TriesAgainWhenTheTimeHasComeAndNotBefore) {
  const std::int64_t id = put("a");
  script.outcome = [&](const Task& task) { return once_later(task); };
  run();
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(delivery(id).last, "exit 75");
  clock.advance(seconds(9));
  run();
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  clock.advance(seconds(3));  // retry-min is 10 s, and a tenth more at most
  run();
  EXPECT_EQ(script.started, (Started{"log:1#1", "log:1#2"}));
  EXPECT_EQ(state(id), "delivered");
}

TEST_P(DelivererTest, BacksOffByTheAlertsAge) {
  const std::int64_t id = put("a");
  script.outcome = [](const Task&) { return Outcome{Kind::later, "exit 75", "", {}}; };
  const struct {
    milliseconds age;
    milliseconds pause;
  } cases[] = {{seconds(60), seconds(60)}, {minutes(5), minutes(5)}, {hours(20), minutes(10)}};
  const WallTime received = clock.wall();
  for (const auto& c : cases) {
    clock.advance(received + c.age - clock.wall());
    receiver.retry(std::vector{id}, "");
    run();
    const milliseconds pause = *delivery(id).due - received - c.age;
    EXPECT_GE(pause, c.pause);
    EXPECT_LE(pause, c.pause + c.pause / 10 + seconds(1));
  }
}

TEST_P(DelivererTest, GivesUpWhenTheAlertIsTooOld) {
  const std::int64_t id = put("a");
  script.outcome = [](const Task&) { return Outcome{Kind::later, "exit 75", "", {}}; };
  clock.advance(hours(72) + seconds(1));
  run();
  EXPECT_EQ(state(id), "failed");
  EXPECT_EQ(delivery(id).last, "exit 75, given up after 3d");
}

TEST_P(DelivererTest, DeliversAnAlarmInOrderOneAfterAnother) {
  for (int n = 0; n < 3; ++n) {
    put("a");
    put("b");
  }
  script.takes = milliseconds(100);
  run();
  EXPECT_FALSE(script.overtaken);
  EXPECT_EQ(script.most_at_once, 2);
  Started of_a;
  for (const std::string& each : script.started)
    if (std::set<std::string>{"log:1#1", "log:3#1", "log:5#1"}.contains(each)) of_a.push_back(each);
  EXPECT_EQ(of_a, (Started{"log:1#1", "log:3#1", "log:5#1"}));
  EXPECT_EQ(script.started.size(), 6U);
}

TEST_P(DelivererTest, WhatIsBehindWaitsUntilTheFirstIsDelivered) {
  const std::int64_t alert = put("a");
  const std::int64_t recovery = put("a");
  script.outcome = [&](const Task& task) {
    return task.view.stored.id == alert ? once_later(task) : Outcome{Kind::delivered, "exit 0", "", {}};
  };
  run();
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  EXPECT_EQ(delivery(recovery).attempts, 0);
  clock.advance(seconds(12));
  run();
  EXPECT_EQ(script.started, (Started{"log:1#1", "log:1#2", "log:2#1"}));
}

TEST_P(DelivererTest, WhatIsBehindGoesOnWhenTheFirstFails) {
  const std::int64_t alert = put("a");
  const std::int64_t recovery = put("a");
  script.outcome = [&](const Task& task) {
    return Outcome{task.view.stored.id == alert ? Kind::failed : Kind::delivered, "exit 65", "", {}};
  };
  run();
  EXPECT_EQ(state(alert), "failed");
  EXPECT_EQ(state(recovery), "delivered");
}

TEST_P(DelivererTest, AnAlarmThatAlwaysFailsHoldsUpNoOther) {
  const std::int64_t bad = put("bad");
  for (int n = 0; n < 20; ++n) put("good" + std::to_string(n));
  script.outcome = [&](const Task& task) {
    return Outcome{task.view.stored.id == bad ? Kind::later : Kind::delivered, "", "", {}};
  };
  run();
  EXPECT_EQ(script.started.size(), 21U);
  EXPECT_EQ(state(bad), "pending");
}

TEST_P(DelivererTest, DrainsThousandsWithinTheRoomThereIs) {
  std::vector<Incoming> batch;
  for (int n = 0; n < 2000; ++n) batch.push_back(incoming("alarm" + std::to_string(n % 50)));
  receiver.put(batch);
  script.room = 4;
  script.takes = milliseconds(20);
  run();
  EXPECT_EQ(script.most_at_once, 4);
  EXPECT_FALSE(script.overtaken);
  EXPECT_EQ(std::set(script.started.begin(), script.started.end()).size(), 2000U);
  EXPECT_EQ(script.started.size(), 2000U);
}

TEST_P(DelivererTest, ALongCommandAndALongQueueHoldUpNoOtherAlarm) {
  put_flood(2'000);
  const std::int64_t other = put("other");
  script.takes = hours(1);
  run_for(10);  // none of which is long enough for a look without a reason
  EXPECT_EQ(script.started, (Started{"log:1#1", "log:" + std::to_string(other) + "#1"}));
}

TEST_P(DelivererTest, WhatWaitsBehindALongCommandHoldsUpNoOtherAlarm) {
  script.room = 4;
  script.takes = hours(1);
  for (int n = 0; n < 4; ++n) put("slow");
  std::int64_t other = 0;
  script.on_turn = [&] {
    if (script.turns == 5) other = put("other");
  };
  run_for(100);
  EXPECT_EQ(script.started, (Started{"log:1#1", "log:" + std::to_string(other) + "#1"}));
}

TEST_P(DelivererTest, SortingALongQueueHoldsUpNoOtherAction) {
  settings.actions = {action("log"), action("page")};
  script.takes = hours(1);
  put_flood(20'000);
  script.on_turn = [&] {
    if (script.turns == 5) put("other", {"page"});
  };
  // Long enough for a look without a reason, too short for the queue: 39 claims, one or two of them in each turn.
  script.turn = milliseconds(100);
  run_for(34);
  EXPECT_EQ(script.started, (Started{"log:1#1", "page:20001#1"}));
}

TEST_P(DelivererTest, LeavesOtherActionsDeliveriesWhereTheyAre) {
  const std::int64_t id = put("a", {"removed"});
  run();
  EXPECT_TRUE(script.started.empty());
  EXPECT_EQ(state(id), "pending");
}

TEST_P(DelivererTest, FindsWhatWasStoredWithoutAWakeUp) {
  script.on_turn = [&] {
    if (script.turns == 10) put("a");
  };
  run_for(100);
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
}

TEST_P(DelivererTest, LooksAtOnceWhenItIsWoken) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd wake(ends[0]);
  const Fd caller(ends[1]);
  events.wake_fd = wake.get();
  char byte = 0;
  events.on_wake = [&] { EXPECT_EQ(read(wake.get(), &byte, 1), 1); };
  int started_at = 0;
  script.outcome = [&](const Task&) {
    started_at = script.turns;
    return Outcome{};
  };
  script.on_turn = [&] {
    if (script.turns != 10) return;
    put("a");
    EXPECT_EQ(write(caller.get(), "", 1), 1);
  };
  run_for(20);
  EXPECT_EQ(started_at, 10);
}

TEST_P(DelivererTest, AtTheEndNothingNewStartsAndWhatRunsIsTriedAgainAtOnce) {
  script.room = 1;
  script.takes = hours(1);
  const std::int64_t running = put("a");
  const std::int64_t behind = put("a");
  const std::int64_t other = put("b");
  run_for(20);
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  EXPECT_EQ(state(running), "pending");
  EXPECT_EQ(delivery(running).attempts, 1);
  EXPECT_EQ(delivery(running).last, "signal 15 (Terminated)");
  EXPECT_EQ(delivery(behind).attempts, 0);
  EXPECT_EQ(delivery(other).attempts, 0);
  script.takes = milliseconds(0);
  run();
  EXPECT_EQ(script.started.size(), 4U);
  EXPECT_EQ(state(running), "delivered");
  EXPECT_EQ(state(behind), "delivered");
  EXPECT_EQ(state(other), "delivered");
}

TEST_P(DelivererTest, ASignalStopsItToo) {
  const Fd sender = make_signals(Signal::stop);
  EXPECT_EQ(write(sender.get(), "", 1), 1);
  run(false);
}

TEST_P(DelivererTest, TheReceiversEndIsNoSecondSignal) {
  const Fd sender = make_signals(Signal::stop);
  put("a");
  script.takes = hours(1);
  script.on_turn = [&] {
    if (script.turns == 10) write_all(sender.get(), "s");
  };
  run_for(10);
  EXPECT_EQ(script.terminated, 1) << "a second time kills";
}

TEST_P(DelivererTest, WhatOurOwnStopInterruptsIsNeverGivenUp) {
  const std::int64_t id = put("a");
  clock.advance(hours(73));
  script.takes = hours(1);
  run_for(20);
  EXPECT_EQ(script.started.size(), 1U);
  EXPECT_EQ(state(id), "pending");
}

class DelivererReloadTest : public DelivererTest {
protected:
  /// Runs with a reload in the tenth turn that gives `changed`, or fails.
  void run_with_reload(const std::optional<std::vector<ActionConfig>>& changed) {
    const Fd sender = make_signals(Signal::reload);
    events.reload = [&](DelivererSettings& to, std::string& note) {
      note = changed ? "" : "configuration stale: line 3";
      if (changed) to.actions = *changed;
      return changed.has_value();
    };
    script.on_turn = [&, before = script.on_turn] {
      before();
      if (script.turns == 10) write_all(sender.get(), "r");
    };
    run_for(100);
  }
};

INSTANTIATE_TEST_SUITE_P(Both, DelivererReloadTest, kDatabases, name_of);

TEST_P(DelivererReloadTest, NewActionsTakeOverAndOldOnesEndWhatTheyRun) {
  script.room = 1;
  script.takes = milliseconds(500);
  const std::int64_t first = put("a");
  const std::int64_t second = put("b");
  const std::int64_t of_new = put("c", {"page"});
  run_with_reload(std::vector{action("log"), action("page")});
  EXPECT_EQ(state(first), "delivered");
  EXPECT_EQ(state(second), "delivered");
  EXPECT_EQ(state(of_new), "delivered");
  EXPECT_EQ(script.started.size(), 3U);
  EXPECT_EQ(delivery(second).attempts, 1);
}

TEST_P(DelivererReloadTest, OrderHoldsAcrossAReload) {
  script.takes = milliseconds(500);
  for (int n = 0; n < 3; ++n) put("a");
  run_with_reload(std::vector{action("log")});
  EXPECT_EQ(script.started, (Started{"log:1#1", "log:2#1", "log:3#1"}));
}

TEST_P(DelivererReloadTest, AnActionThatIsRemovedEndsWhatItRunsAndStartsNothingMore) {
  script.takes = milliseconds(500);
  const std::int64_t running = put("a");
  script.on_turn = [&] {
    if (script.turns == 12) put("b");
  };
  run_with_reload(std::vector{action("page")});
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  EXPECT_EQ(state(running), "delivered");
}

TEST_P(DelivererReloadTest, ABadFileChangesNothingButWhatStatusSays) {
  std::string note;
  script.on_turn = [&] {
    if (script.turns == 12) put("a");
    if (script.turns == 90)
      for (const ProcessInfo& process : receiver.status().processes) note = process.note;
  };
  run_with_reload(std::nullopt);
  EXPECT_EQ(note, "configuration stale: line 3");
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
}

TEST_P(DelivererTest, StatusKnowsItWhileItRunsAndNotAfterwards) {
  std::vector<HeardProcess> seen;
  script.on_turn = [&] { seen = receiver.status().processes; };
  settings.actions = {action("log"), action("page")};
  settings.actions[0].digest = "1";
  settings.actions[1].digest = "2";
  run_for(5);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].role, "deliverer");
  EXPECT_EQ(seen[0].host, "here");
  EXPECT_EQ(seen[0].pid, getpid());
  EXPECT_EQ(seen[0].actions, "log:1 page:2");
  EXPECT_TRUE(receiver.status().processes.empty());
}

TEST_P(DelivererTest, KeepsItsLeaseWhileACommandRuns) {
  put("a");
  put("a");
  script.takes = minutes(3);
  script.turn = seconds(1);
  std::vector<Claimed> elsewhere;
  script.on_turn = [&] {
    if (script.turns != 100) return;
    put("b");
    elsewhere = claim_elsewhere();
  };
  run();
  ASSERT_EQ(elsewhere.size(), 1U);
  EXPECT_EQ(elsewhere[0].alarm, "b");
}

TEST_P(DelivererTest, DeliversWhatWasClaimedThoughTheAnswerWasLost) {
  script.takes = minutes(1);
  script.turn = seconds(1);
  put("a");
  const std::int64_t lost = put("lost", {"nobody's"});
  script.on_turn = [&] {
    if (script.turns != 3) return;
    spool.execute(
        "UPDATE delivery SET action = 'log', lane = 'lost', state = 'running', attempts = 1, "
        "owner = (SELECT owner FROM delivery WHERE alert_id = 1), "
        "lease_until = (SELECT lease_until FROM delivery WHERE alert_id = 1) WHERE alert_id = 2");
  };
  run();
  EXPECT_EQ(state(lost), "delivered");
  EXPECT_EQ(delivery(lost).attempts, 1);
}

// As after SIGSTOP, longer than the lease: somebody else has them all by now.
TEST_P(DelivererTest, StartsNothingAfterItsLeaseEnded) {
  script.takes = milliseconds(100);
  const std::int64_t first = put("a");
  put("a");
  put("a");
  std::vector<Claimed> elsewhere;
  script.on_turn = [&] {
    if (script.turns != 2) return;
    clock.advance(seconds(31));
    put("wakes the claim up");
    elsewhere = claim_elsewhere();
  };
  run_for(20);
  EXPECT_EQ(elsewhere.size(), 4U);
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  EXPECT_EQ(state(first), "running") << "its late mark changes nothing";
}

TEST_P(DelivererTest, StartsNothingAfterItsLeaseEndedBetweenTwoStarts) {
  put("a");
  put("b");
  std::vector<Claimed> elsewhere;
  script.outcome = [&](const Task& task) {
    if (task.view.stored.id == 1) {
      clock.advance(seconds(31));
      put("wakes the claim up");
      elsewhere = claim_elsewhere();
    }
    return Outcome{};
  };
  run_for(20);
  EXPECT_EQ(elsewhere.size(), 3U);
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
}

TEST_F(DelivererWithoutStore, MarksWhatEndedWhileTheStoreWasAway) {
  const std::int64_t id = put("a");
  std::optional<FileLock> backup(spool.directory.path("spool.db-lock"));
  script.outcome = [&](const Task&) {
    EXPECT_TRUE(backup->lock_writer(std::chrono::steady_clock::now()));
    return Outcome{Kind::delivered, "exit 0", "", {}};
  };
  script.turn = milliseconds(500);
  script.on_turn = [&] {
    if (script.turns == 10) backup.reset();
  };
  run();
  EXPECT_GE(script.turns, 10);
  EXPECT_EQ(script.started, (Started{"log:1#1"}));
  EXPECT_EQ(state(id), "delivered");
  EXPECT_EQ(delivery(id).attempts, 1);
}

TEST_F(DelivererWithoutStore, OnceFailsWhenItCannotKnowWhatIsDue) {
  put("a");
  FileLock backup(spool.directory.path("spool.db-lock"));
  ASSERT_TRUE(backup.lock_writer(std::chrono::steady_clock::now()));
  EXPECT_THROW(run(), StoreError);
}

TEST_F(DelivererWithoutStore, LeavesAStoreThatDoesNotComeBackWhenItIsTold) {
  put("a");
  std::optional<FileLock> backup(spool.directory.path("spool.db-lock"));
  script.outcome = [&](const Task&) {
    EXPECT_TRUE(backup->lock_writer(std::chrono::steady_clock::now()));
    return Outcome{};
  };
  script.turn = milliseconds(500);
  run_for(10);
}

TEST_P(DelivererTest, AClockThatWasSetBackLeavesNothingStuck) {
  const std::int64_t id = put("a");
  script.outcome = [&](const Task& task) { return once_later(task); };
  run();
  clock.set_wall(clock.wall() - hours(1));
  run();
  EXPECT_EQ(state(id), "delivered");
}

TEST_P(DelivererTest, PurgesWhatEndedLongAgoAndNothingThatWaits) {
  settings.keep = hours(24);
  settings.actions = {action("log"), action("page")};
  put("old");
  put("failed", {"page"});
  const std::int64_t waiting = put("waits", {"removed"});
  script.outcome = [](const Task& task) {
    return Outcome{task.attempt.action == "page" ? Kind::failed : Kind::delivered, "exit 65", "", {}};
  };
  run();
  EXPECT_EQ(receiver.status().alerts, 3);
  clock.advance(hours(25));
  run();
  EXPECT_EQ(receiver.status().alerts, 1);
  EXPECT_TRUE(receiver.show(waiting));
}

}  // namespace
}  // namespace alertspool
