#include "deliver/syslog_action.h"

#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <regex>

namespace alertspool {
namespace {

using std::chrono::seconds;
using Kind = Outcome::Kind;

Task task_of(std::int64_t id, Fields fields) {
  Task task;
  task.alert_id = 100 + id;
  task.view.stored = {id, "2026-11-23T16:06:56.123Z", false};
  task.view.alert = make_alert({"47.74.206.1", "", {}}, std::move(fields), false);
  task.attempt = {"log", 1};
  return task;
}
Task task_of(std::int64_t id) {
  return task_of(id, {{"alertState", "ALERT"}, {"triggerLevel", "WARN"}});
}

class SyslogActionTest : public testing::Test {
protected:
  void listen() {
    unlink(path.c_str());
    daemon = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(daemon.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  std::string receive() const {
    std::string text(65536, '\0');
    const ssize_t got = recv(daemon.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }
  ActionConfig config() const {
    ActionConfig config;
    config.route.action = "log";
    config.socket = path;
    return config;
  }
  Outcome outcome_of(Action& action, Task task) {
    action.start(std::move(task), now);
    const std::vector<Ended> ended = action.take_ended();
    return ended.size() == 1 ? ended[0].outcome : Outcome{Kind::failed, "not one end", {}, {}};
  }
  /// Starts until the socket takes no more; how many it took.
  int fill(SyslogAction& action) {
    int taken = 0;
    while (action.room() > 0 && taken < 100'000) {
      action.start(task_of(1), now);
      if (action.room() > 0) ++taken;
      if (action.take_ended().empty()) break;
    }
    return taken;
  }

  TemporaryDirectory directory;
  std::string path = directory.path("log");
  Fd daemon;
  SteadyTime now = std::chrono::steady_clock::now();
};

TEST_F(SyslogActionTest, SendsOneDatagramInTheFormOfRfc3164) {
  listen();
  SyslogAction action(config());
  const Outcome outcome = outcome_of(action, task_of(42));
  EXPECT_EQ(outcome.kind, Kind::delivered);
  EXPECT_EQ(outcome.text, "written");
  const std::regex form(
      "<28>(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\\d \\d\\d:\\d\\d:\\d\\d alertspool\\[" +
      std::to_string(getpid()) + "\\]: id=42 alertState=ALERT triggerLevel=WARN");
  const std::string datagram = receive();
  EXPECT_TRUE(std::regex_match(datagram, form)) << datagram;
}

TEST_F(SyslogActionTest, PriorityIsFacilityAndSeverity) {
  const struct {
    int facility;
    const char* state;
    const char* level;
    const char* priority;
  } cases[] = {{3, "ALERT", "CRITICAL", "<26>"},
               {3, "ALERT", "INFO", "<30>"},
               {3, "OK", "CRITICAL", "<29>"},
               {3, "INSUFFICIENT_DATA", "", "<28>"},
               {23, "ALERT", "WARN", "<188>"}};
  listen();
  for (const auto& c : cases) {
    ActionConfig with_facility = config();
    with_facility.facility = c.facility;
    SyslogAction action(with_facility);
    outcome_of(action, task_of(1, {{"alertState", c.state}, {"triggerLevel", c.level}}));
    EXPECT_EQ(receive().rfind(c.priority, 0), 0U) << c.state << ' ' << c.level;
  }
}

TEST_F(SyslogActionTest, NoValueBecomesAFormatALineOrAPriority) {
  listen();
  SyslogAction action(config());
  outcome_of(action, task_of(1, {{"alertName", "%s%n\n<0>kern: x"}}));
  const std::string datagram = receive();
  EXPECT_NE(datagram.find("alertName=\"%s%n\\n<0>kern: x\""), std::string::npos) << datagram;
  EXPECT_EQ(receive(), "");
}

TEST_F(SyslogActionTest, AMissingDaemonMeansLaterAndAPause) {
  SyslogAction action(config());
  const Outcome outcome = outcome_of(action, task_of(1));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.text, "cannot write to " + path + ": No such file or directory");
  EXPECT_EQ(action.room(), 0);
  listen();
  now += seconds(1);
  action.proceed(now);
  ASSERT_GT(action.room(), 0);
  EXPECT_EQ(outcome_of(action, task_of(1)).kind, Kind::delivered);
}

TEST_F(SyslogActionTest, ADaemonThatIsGoneMeansLater) {
  listen();
  SyslogAction action(config());
  outcome_of(action, task_of(1));
  daemon.reset();
  const Outcome outcome = outcome_of(action, task_of(2));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.text, "cannot write to " + path + ": Connection refused");
}

TEST_F(SyslogActionTest, FollowsADaemonThatWasStartedAgain) {
  listen();
  SyslogAction action(config());
  outcome_of(action, task_of(1));
  listen();
  EXPECT_EQ(outcome_of(action, task_of(2)).kind, Kind::delivered);
  EXPECT_NE(receive().find("id=2 "), std::string::npos);
}

TEST_F(SyslogActionTest, FollowsADaemonThatTookThePathOver) {
  listen();
  SyslogAction action(config());
  outcome_of(action, task_of(1));
  const Fd stopped = std::move(daemon);
  listen();
  outcome_of(action, task_of(2));
  EXPECT_NE(receive().find(" id=2 "), std::string::npos);
}

TEST_F(SyslogActionTest, WaitsForADaemonThatIsBehind) {
  listen();
  SyslogAction action(config());
  const int taken = fill(action);
  EXPECT_EQ(action.room(), 0);
  for (int line = 0; line < taken; ++line) EXPECT_NE(receive(), "");
  std::vector<pollfd> fds;
  SteadyTime until = SteadyTime::max();
  action.poll_for(fds, until);
  ASSERT_EQ(fds.size(), 1U);
  EXPECT_EQ(poll(fds.data(), 1, 0), 1);
  action.proceed(now);
  const std::vector<Ended> ended = action.take_ended();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.kind, Kind::delivered);
  EXPECT_GT(action.room(), 0);
}

TEST_F(SyslogActionTest, AStoppedDaemonMeansLaterAfterASecondAndAPause) {
  listen();
  SyslogAction action(config());
  fill(action);
  now += milliseconds(999);
  action.proceed(now);
  EXPECT_TRUE(action.take_ended().empty());
  now += milliseconds(1);
  action.proceed(now);
  const std::vector<Ended> ended = action.take_ended();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.kind, Kind::later);
  EXPECT_EQ(ended[0].outcome.text, "cannot write to " + path + ": it is full, nobody reads");
  EXPECT_EQ(action.room(), 0);
}

TEST_F(SyslogActionTest, TerminateWaitsForNoDaemon) {
  listen();
  SyslogAction action(config());
  fill(action);
  action.terminate(now);
  action.proceed(now);
  EXPECT_EQ(action.take_ended().size(), 1U);
}

}  // namespace
}  // namespace alertspool
