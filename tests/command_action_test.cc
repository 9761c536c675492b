#include "deliver/command_action.h"

#include <gtest/gtest.h>

#include <csignal>

namespace alertspool {
namespace {

using std::chrono::seconds;
using Kind = Outcome::Kind;

Task task_of(std::int64_t alert_id) {
  Task task;
  task.alert_id = alert_id;
  task.view.stored = {42, "2026-11-23T16:06:56.123Z", false};
  task.view.state = "running";
  task.view.alert =
      make_alert({"47.74.206.1", "ops", {}}, {{"alertName", "cpu $(id)"}, {"alertState", "ALERT"}}, false);
  task.attempt = {"page", 3};
  return task;
}

ActionConfig config_of(std::vector<std::string> run) {
  ActionConfig config;
  config.route.action = "page";
  config.type = ActionConfig::Type::command;
  config.run = std::move(run);
  config.retry.give_up_exit = {65, 66};
  return config;
}

ActionConfig shell(const std::string& script) {
  return config_of({"/bin/sh", "-c", script});
}

class CommandActionTest : public testing::Test {
protected:
  CommandActionTest() { signal(SIGPIPE, SIG_IGN); }

  /// One turn of the caller's loop; waits until something happens, or not at all when the deadline has come.
  std::vector<Ended> turn(Action& action) {
    std::vector<pollfd> fds;
    SteadyTime until = SteadyTime::max();
    action.poll_for(fds, until);
    poll(fds.data(), fds.size(), until <= now ? 0 : 10'000);
    action.proceed(now);
    return action.take_ended();
  }
  std::vector<Ended> all_of(Action& action, std::size_t count) {
    std::vector<Ended> all = action.take_ended();
    while (all.size() < count)
      for (Ended& ended : turn(action)) all.push_back(std::move(ended));
    return all;
  }
  Outcome run(const ActionConfig& config) {
    CommandAction action(config);
    action.start(task_of(7), now);
    return all_of(action, 1)[0].outcome;
  }

  SteadyTime now = std::chrono::steady_clock::now();
};

TEST_F(CommandActionTest, ExitCodesMeanWhatTheContractSays) {
  const struct {
    const char* script;
    Kind kind;
    const char* text;
  } cases[] = {{"exit 0", Kind::delivered, "exit 0"},
               {"exit 1", Kind::later, "exit 1"},
               {"exit 75", Kind::later, "exit 75"},
               {"exit 65", Kind::failed, "exit 65"},
               {"exit 66", Kind::failed, "exit 66"},
               {"kill -9 $$", Kind::later, "signal 9 (Killed)"},
               {"kill $$", Kind::later, "signal 15 (Terminated)"}};
  for (const auto& c : cases) {
    const Outcome outcome = run(shell(c.script));
    EXPECT_EQ(outcome.kind, c.kind) << c.script;
    EXPECT_EQ(outcome.text, c.text) << c.script;
  }
}

TEST_F(CommandActionTest, ZeroIsDeliveredWhateverGiveUpExitSays) {
  ActionConfig config = shell("exit 0");
  config.retry.give_up_exit = {0};
  EXPECT_EQ(run(config).kind, Kind::delivered);
}

TEST_F(CommandActionTest, TellsTheAlertInTheEnvironmentAndOnStandardInput) {
  const Outcome outcome = run(shell(
      "echo $CMS_ALERT_NAME/$ALERTSPOOL_ID/$ALERTSPOOL_ACTION/$ALERTSPOOL_ATTEMPT/$ALERTSPOOL_TOKEN; wc -l; pwd"));
  EXPECT_EQ(outcome.output, "cpu $(id)/42/page/3/ops\n1\n/\n");
  const std::string json = run(config_of({"/bin/cat"})).output;
  EXPECT_EQ(json.rfind("{\"id\":42,", 0), 0U) << json;
  EXPECT_NE(json.find("\"action\":\"page\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"attempt\":3"), std::string::npos) << json;
  EXPECT_EQ(json.back(), '\n');
}

TEST_F(CommandActionTest, PassesNothingOfItsOwnEnvironmentButTheFixedList) {
  setenv("DATABASE_PASSWORD", "secret", 1);
  const std::string output = run(config_of({"/usr/bin/env"})).output;
  unsetenv("DATABASE_PASSWORD");
  EXPECT_EQ(output.find("DATABASE_PASSWORD"), std::string::npos);
  EXPECT_NE(output.find("PATH="), std::string::npos);
}

TEST_F(CommandActionTest, HasNoShellBetween) {
  EXPECT_EQ(run(config_of({"/bin/echo", "$CMS_ALERT_NAME", "a; b", "*"})).output, "$CMS_ALERT_NAME a; b *\n");
}

TEST_F(CommandActionTest, RunsAsManyAtOnceAsParallelSays) {
  ActionConfig config = shell("echo $ALERTSPOOL_ATTEMPT");
  config.parallel = 3;
  CommandAction action(config);
  for (int id = 1; id <= 3; ++id) {
    EXPECT_EQ(action.room(), 4 - id);
    action.start(task_of(id), now);
  }
  EXPECT_EQ(action.room(), 0);
  EXPECT_EQ(all_of(action, 3).size(), 3U);
  EXPECT_EQ(action.room(), 3);
}

TEST_F(CommandActionTest, ATimeoutMeansLater) {
  ActionConfig config = shell("exec sleep 1000");
  config.timeout = seconds(30);
  CommandAction action(config);
  action.start(task_of(7), now);
  now += seconds(30);
  const Outcome outcome = all_of(action, 1)[0].outcome;
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.text, "timeout after 30s");
}

TEST_F(CommandActionTest, ACommandThatCannotBeStartedMeansLaterAndAPause) {
  CommandAction action(config_of({"/nonexistent/page"}));
  action.start(task_of(7), now);
  const std::vector<Ended> ended = action.take_ended();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].alert_id, 7);
  EXPECT_EQ(ended[0].outcome.kind, Kind::later);
  EXPECT_EQ(ended[0].outcome.text, "cannot start: No such file or directory");
  EXPECT_EQ(action.room(), 0);
  now += seconds(1);
  action.proceed(now);
  EXPECT_EQ(action.room(), 4);
}

TEST_F(CommandActionTest, TerminateEndsWhatRuns) {
  CommandAction action(shell("exec sleep 1000"));
  action.start(task_of(7), now);
  action.terminate(now);
  EXPECT_EQ(all_of(action, 1)[0].outcome.text, "signal 15 (Terminated)");
}

TEST(Facility, HasTheNumbersOfRfc5424) {
  EXPECT_EQ(facility_number("kern"), 0);
  EXPECT_EQ(facility_number("daemon"), 3);
  EXPECT_EQ(facility_number("authpriv"), 10);
  EXPECT_EQ(facility_number("local0"), 16);
  EXPECT_EQ(facility_number("local7"), 23);
  EXPECT_EQ(facility_number("local8"), -1);
  EXPECT_EQ(facility_number(""), -1);
}

}  // namespace
}  // namespace alertspool
