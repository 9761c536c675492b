/// The operator's verbs, each against a real spool.

#include "main/operator.h"
#include "base/text.h"
#include "fake_clock.h"
#include "store/store.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

namespace alertspool {
namespace {

constexpr milliseconds kNoLimit{24LL * 3600 * 1000};
using Names = std::vector<std::string>;

struct Said {
  int code = 0;
  std::string out;
  std::string errors;
};

class Operator : public testing::Test {
protected:
  void SetUp() override {
    settings_.url = "sqlite:" + directory_.path("spool.db");
    settings_.free_space_floor = 0;
    configure("[action.log]\ntype = syslog\n[action.page]\ntype = command\nrun = /bin/true\n");
    receiver_ = std::make_unique<Store>(settings_, StoreUse::receive, clock_);
    deliverer_ = std::make_unique<Store>(settings_, StoreUse::deliver, clock_);
    receiver_->connect();
  }

  void configure(const std::string& actions) {
    std::ofstream(directory_.path("conf")) << "store = " << settings_.url << '\n' << actions;
  }

  Incoming incoming(const std::string& name, Names actions = {"log"}, milliseconds age = milliseconds(0)) {
    Incoming incoming;
    incoming.callback = {clock_.wall() - age,
                         "47.74.206.1",
                         "ops",
                         "team=db",
                         "application/x-www-form-urlencoded",
                         "alertName=" + name +
                             "&alertState=ALERT&instanceName=web-1&triggerLevel=WARN"
                             "&signature=c2VjcmV0",
                         false};
    incoming.digest = name;
    incoming.alarm = "alarm-" + name;
    incoming.severity = "WARN";
    incoming.actions = std::move(actions);
    return incoming;
  }
  std::int64_t put(const std::string& name, Names actions = {"log"}, milliseconds age = milliseconds(0)) {
    return receiver_->put(std::vector{incoming(name, std::move(actions), age)}).at(0).id;
  }
  void put_many(int count) {
    std::vector<Incoming> batch;
    for (int i = 0; i < count; ++i) batch.push_back(incoming(std::to_string(i)));
    receiver_->put(batch);
  }

  /// Runs the next delivery of that action to this end.
  void end_next(const std::string& action, Mark::Kind kind, const std::string& output = "") {
    const std::vector<Claimed> claimed = deliverer_->claim(action, 1, lease_, kNoLimit).taken;
    ASSERT_EQ(claimed.size(), 1U);
    const Mark mark{claimed[0].alert_id,
                    claimed[0].action,
                    kind,
                    clock_.wall(),
                    claimed[0].attempt,
                    clock_.wall(),
                    milliseconds(12),
                    kind == Mark::Kind::delivered ? "exit 0" : "exit 65",
                    output};
    ASSERT_EQ(deliverer_->mark({&mark, 1}, lease_), 1U);
  }

  Said run(const Verb& verb, Names positional, const Fields& options = {}) {
    Arguments arguments;
    arguments.add("config", directory_.path("conf"));
    arguments.positional = std::move(positional);
    for (const auto& [name, value] : options) arguments.add(name, value);
    Said said;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    try {
      said.code = verb.run(arguments);
    } catch (const UsageError& error) {
      said = {kUsage, "", error.what()};
    }
    said.out = testing::internal::GetCapturedStdout();
    said.errors += testing::internal::GetCapturedStderr();
    return said;
  }

  std::vector<std::int64_t> listed(Fields options) {
    options.emplace_back("json", "");
    std::vector<std::int64_t> ids;
    std::istringstream lines(run(kListVerb, {}, options).out);
    for (std::string line; std::getline(lines, line);) ids.push_back(nlohmann::json::parse(line)["id"]);
    return ids;
  }

  std::string state(std::int64_t id) { return receiver_->show(id)->state(); }
  void announce_deliverer() {
    deliverer_->announce({"deliverer", host_name(), getpid(), clock_.wall(), "log page", ""});
  }

  TemporaryDirectory directory_;
  SystemClock clock_;
  StoreSettings settings_;
  std::unique_ptr<Store> receiver_;
  std::unique_ptr<Store> deliverer_;
  Lease lease_{"host-1-1", "host", milliseconds(30'000)};
};

using Ids = std::vector<std::int64_t>;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// ---- list

TEST_F(Operator, ListsTheNewestFirst) {
  const auto a = put("a"), b = put("b"), c = put("c");
  EXPECT_EQ(listed({}), (Ids{c, b, a}));
  EXPECT_EQ(listed({{"limit", "2"}}), (Ids{c, b}));
  EXPECT_EQ(listed({{"limit", "0"}}), (Ids{c, b, a}));
}

TEST_F(Operator, ListsFiftyUnlessAskedForMore) {
  put_many(52);
  EXPECT_EQ(listed({}).size(), 50U);
  EXPECT_EQ(listed({{"limit", "0"}}).size(), 52U);
}

TEST_F(Operator, ListsWhatTheFilterSelects) {
  const auto old = put("old", {"log"}, std::chrono::hours(3));
  const auto page = put("page", {"page"});
  const auto none = put("none", {});
  EXPECT_EQ(listed({{"action", "page"}}), (Ids{page}));
  EXPECT_EQ(listed({{"state", "unmatched"}}), (Ids{none}));
  EXPECT_EQ(listed({{"alarm", "alarm-old"}}), (Ids{old}));
  EXPECT_EQ(listed({{"since", "2h"}}), (Ids{none, page}));
  EXPECT_EQ(listed({{"until", "2h"}}), (Ids{old}));
  EXPECT_EQ(listed({{"token", "nobody"}}), (Ids{}));
  EXPECT_EQ(listed({{"match", "alertName o* p*"}, {"match", "url.team db"}}), (Ids{page, old}));
  EXPECT_EQ(listed({{"match", "alertName o*"}, {"limit", "1"}}), (Ids{old}));
}

TEST_F(Operator, ListEscapesWhatCouldMoveTheCursor) {
  put("%1B%5B2J");
  const Said said = run(kListVerb, {});
  EXPECT_EQ(said.code, kOk);
  for (const char* part : {"WARN", "pending", "ALERT \\x1b[2J ", " web-1\n"})
    EXPECT_TRUE(contains(said.out, part)) << part << '\n' << said.out;
  EXPECT_FALSE(contains(said.out, "\x1b"));
}

/// Columns of ASCII, Chinese and the ellipsis.
std::size_t columns(const std::string& text) {
  std::size_t count = 0;
  for (const char32_t c : code_points(text)) count += c >= 0x4e00 && c < 0xa000 ? 2 : 1;
  return count;
}

TEST_F(Operator, ListAlignsItsColumnsWithinEighty) {
  for (const char* name : {"memory", "内存使用率", "生产环境数据库服务器内存使用率持续过高需要立即处理", "%1B"})
    put(name);
  put(std::string(60, 'n') + "&instanceName=web-1" + std::string(60, 'i'));
  Incoming broken = incoming("x");
  broken.undecodable = std::string(100, 'u');
  broken.actions.clear();
  broken.callback.body = "x";
  receiver_->put(std::vector{broken});
  std::istringstream lines(run(kListVerb, {}).out);
  std::string line;
  std::getline(lines, line);
  const std::size_t alert = line.find("ALERT"), object = line.find("OBJECT"), received = line.find("RECEIVED");
  ASSERT_NE(object, std::string::npos) << line;
  EXPECT_TRUE(line.starts_with("ID RECEIVED")) << line;
  std::vector<std::string> rows;
  while (std::getline(lines, line)) rows.push_back(line);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(columns(rows[0]), 80U) << rows[0];
  EXPECT_TRUE(rows[0].ends_with("uuu…"));
  rows.erase(rows.begin());
  for (const std::string& row : rows) {
    EXPECT_LE(columns(row), 80U) << row;
    EXPECT_EQ(row.find(to_local(clock_.wall()).substr(0, 5)), received) << row;
    EXPECT_EQ(row.find("ALERT "), alert) << row;
    EXPECT_EQ(columns(row.substr(0, row.find("web-1"))), object) << row;
  }
  EXPECT_EQ(columns(rows[0]), 80U) << rows[0];
  EXPECT_TRUE(rows[0].ends_with("iii…") && contains(rows[0], "nnn… web")) << rows[0];
  EXPECT_TRUE(contains(rows[2], "… ")) << rows[2];
  EXPECT_TRUE(contains(rows[3], "ALERT 内存使用率 ")) << rows[3];
}

TEST_F(Operator, ListHasColoursOnATerminalUnlessToldNot) {
  put("a"), put("b", {"page"}), put("c", {});
  end_next("page", Mark::Kind::failed);
  const auto on_terminal = [this] {
    int terminal = -1, ours = -1;
    EXPECT_EQ(openpty(&terminal, &ours, nullptr, nullptr, nullptr), 0);
    const int before = dup(STDOUT_FILENO);
    dup2(ours, STDOUT_FILENO);
    Arguments arguments;
    arguments.add("config", directory_.path("conf"));
    kListVerb.run(arguments);
    std::cout.flush();
    dup2(before, STDOUT_FILENO);
    std::string text(4000, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(terminal, text.data(), text.size()))));
    for (const int fd : {terminal, ours, before}) close(fd);
    return text;
  };
  unsetenv("NO_COLOR");
  const std::string text = on_terminal();
  EXPECT_TRUE(contains(text, " \x1b[33mpending\x1b[0m ")) << text;
  EXPECT_TRUE(contains(text, " \x1b[31mfailed\x1b[0m ")) << text;
  EXPECT_TRUE(contains(text, " unmatched ")) << text;
  setenv("NO_COLOR", "1", 1);
  const std::string plain = on_terminal();
  unsetenv("NO_COLOR");
  EXPECT_TRUE(contains(plain, "failed")) << plain;
  EXPECT_FALSE(contains(plain, "\x1b"));
}

// ---- show

TEST_F(Operator, ShowsEveryAttemptWithItsOutput) {
  const auto id = put("memory+use", {"page"});
  end_next("page", Mark::Kind::failed, "cannot page\n\x1b[2J");
  const Said said = run(kShowVerb, {std::to_string(id)});
  EXPECT_EQ(said.code, kOk);
  for (const char* part : {"failed", "memory use", "47.74.206.1", "ops", "team=db", "exit 65", "12 ms",
                           "| cannot page\n", "| \\x1b[2J\n", "***"})
    EXPECT_TRUE(contains(said.out, part)) << part << '\n' << said.out;
  EXPECT_FALSE(contains(said.out, "c2VjcmV0"));
}

TEST_F(Operator, ShowsTheDocumentedObject) {
  const auto id = put("a", {"page"});
  end_next("page", Mark::Kind::delivered, "done");
  const nlohmann::json shown = nlohmann::json::parse(run(kShowVerb, {std::to_string(id)}, {{"json", ""}}).out);
  EXPECT_EQ(shown["id"], id);
  EXPECT_EQ(shown["state"], "delivered");
  EXPECT_EQ(shown["remote_addr"], "47.74.206.1");
  EXPECT_EQ(shown["fields"]["alertName"], "a");
  EXPECT_EQ(shown["deliveries"][0]["action"], "page");
  EXPECT_EQ(shown["deliveries"][0]["attempts"], 1);
  EXPECT_EQ(shown["deliveries"][0]["last"], "exit 0");
  EXPECT_EQ(shown["deliveries"][0]["output"], "done");
}

TEST_F(Operator, ShowsTheBodyAsItCame) {
  const auto id = put("a%00b\n");
  EXPECT_EQ(run(kShowVerb, {std::to_string(id)}, {{"raw", ""}}).out, receiver_->show(id)->callback.body);
}

TEST_F(Operator, ShowRefusesWhatIsNotThere) {
  EXPECT_EQ(run(kShowVerb, {"99"}).code, kDataError);
  EXPECT_EQ(run(kShowVerb, {}).code, kUsage);
  EXPECT_EQ(run(kShowVerb, {"x"}).code, kUsage);
}

// ---- retry and drop

TEST_F(Operator, RetryMakesAFailedDeliveryDue) {
  const auto id = put("a", {"log", "page"});
  end_next("log", Mark::Kind::delivered);
  end_next("page", Mark::Kind::failed);
  const Said said = run(kRetryVerb, {std::to_string(id)});
  EXPECT_EQ(said.code, kOk);
  EXPECT_TRUE(contains(said.out, std::to_string(id) + ": retried page\n")) << said.out;
  EXPECT_TRUE(contains(said.errors, "event=retry") && contains(said.errors, "by=")) << said.errors;
  EXPECT_EQ(deliverer_->claim("page", 10, lease_, kNoLimit).taken.size(), 1U);
  EXPECT_TRUE(deliverer_->claim("log", 10, lease_, kNoLimit).taken.empty());
}

TEST_F(Operator, DropPutsFailedDeliveriesAway) {
  const auto failed = put("a", {"page"});
  end_next("page", Mark::Kind::failed);
  const auto waiting = put("b", {"page"});
  const Said said = run(kDropVerb, {}, {{"state", "failed"}});
  EXPECT_EQ(said.code, kOk);
  EXPECT_EQ(state(failed), "dropped");
  EXPECT_EQ(state(waiting), "pending");
  EXPECT_TRUE(contains(said.out, "alerts: 1, deliveries: 1\n")) << said.out;
}

TEST_F(Operator, DropPutsManyAwayInSeveralTransactions) {
  put_many(1201);
  EXPECT_TRUE(contains(run(kDropVerb, {}, {{"action", "log"}}).out, "alerts: 1201, deliveries: 1201\n"));
  EXPECT_TRUE(listed({{"state", "pending"}}).empty());
}

TEST_F(Operator, DryRunChangesNothing) {
  const auto id = put("a", {"page"});
  const Said said = run(kDropVerb, {std::to_string(id)}, {{"dry-run", ""}});
  EXPECT_TRUE(contains(said.out, std::to_string(id) + ": would drop page\n")) << said.out;
  EXPECT_EQ(state(id), "pending");
}

TEST_F(Operator, OneActionOfAnAlertCanBeDroppedAlone) {
  const auto id = put("a", {"log", "page"});
  EXPECT_EQ(run(kDropVerb, {std::to_string(id)}, {{"action", "page"}}).code, kOk);
  const std::optional<Record> record = receiver_->show(id);
  for (const DeliveryRecord& delivery : record->deliveries)
    EXPECT_EQ(delivery.state, delivery.action == "page" ? "dropped" : "pending");
}

TEST_F(Operator, AnUnknownIdStopsAllOfIt) {
  const auto id = put("a");
  const Said said = run(kDropVerb, {std::to_string(id), "99"});
  EXPECT_EQ(said.code, kDataError);
  EXPECT_TRUE(contains(said.errors, "99"));
  EXPECT_EQ(state(id), "pending");
}

TEST_F(Operator, RetryAndDropWantIdsOrAFilter) {
  for (const Verb* verb : {&kRetryVerb, &kDropVerb}) {
    EXPECT_EQ(run(*verb, {}).code, kUsage);
    EXPECT_EQ(run(*verb, {"1"}, {{"state", "failed"}}).code, kUsage);
  }
}

// ---- backup

TEST_F(Operator, BackupIsASpoolWithTheSameAlerts) {
  const auto id = put("a");
  const std::string copy = directory_.path("copy.db");
  const Said said = run(kBackupVerb, {copy});
  EXPECT_EQ(said.code, kOk) << said.errors;
  EXPECT_TRUE(contains(said.out, std::to_string(std::filesystem::file_size(copy)) + " bytes")) << said.out;
  StoreSettings settings = settings_;
  settings.url = "sqlite:" + copy;
  EXPECT_TRUE(Store(settings, StoreUse::read, clock_).show(id));
}

TEST_F(Operator, BackupKeepsAFileThatExists) {
  std::ofstream(directory_.path("mine")) << "mine";
  EXPECT_EQ(run(kBackupVerb, {directory_.path("mine")}).code, kUsage);
  EXPECT_EQ(std::filesystem::file_size(directory_.path("mine")), 4U);
}

// ---- status

TEST_F(Operator, StatusOfAnEmptySpoolIsOk) {
  const Said said = run(kStatusVerb, {});
  EXPECT_EQ(said.code, 0);
  EXPECT_TRUE(said.out.starts_with("OK - 0 waiting, 0 failed, ")) << said.out;
}

TEST_F(Operator, StatusSaysWhenTheLastCallbackCame) {
  put("a", {"log"}, std::chrono::seconds(150));
  end_next("log", Mark::Kind::delivered);
  EXPECT_TRUE(run(kStatusVerb, {}).out.starts_with("OK - 0 waiting, 0 failed, last callback 2m ago\n"));
}

TEST_F(Operator, StatusAlignsCountsRefusalsAndProcessesWithinEighty) {
  put("a"), put("b", {"page"});
  announce_deliverer();
  const RefusalCount refused[] = {{"token", 7, clock_.wall(), "47.74.206.1", true},
                                  {"undecodable", 1234, clock_.wall(), std::string(39, 'f'), false}};
  receiver_->count_refusals(refused);
  receiver_->announce({"receiver", std::string(64, 'h'), 7, clock_.wall(), "", ""});
  const std::string out = run(kStatusVerb, {}).out;
  std::istringstream lines(out.substr(out.find("\n\n") + 1));
  std::string title;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), 80U) << line;
    if (line.empty() && std::getline(lines, title)) continue;
    for (const char* left : {"STATE", "ACTION", "LAST", "LIFE", "STARTED", "FROM", "HOST"}) {
      const auto at = title.find(left);
      const bool starts = at == title.npos || (line.at(at - 1) == ' ' && line.at(at) != ' ');
      EXPECT_TRUE(starts) << left << '\n' << out;
    }
  }
  EXPECT_TRUE(contains(out, "       1 pending     page\n") && contains(out, "    7 20") && contains(out, " 1234 20"))
      << out;
}

TEST_F(Operator, StatusWarnsAndSaysWhy) {
  struct Case {
    const char* name;
    std::function<void()> prepare;
    int code;
    const char* says;
  };
  const auto refuse = [this](bool allowed, milliseconds age) {
    const RefusalCount count{"token", 1, clock_.wall() - age, "47.74.206.1", allowed};
    receiver_->count_refusals({&count, 1});
  };
  const auto wait = [this](milliseconds age) {
    put("w", {"log"}, age);
    announce_deliverer();
  };
  const auto announce = [this](const char* role, const std::string& host, const char* actions, milliseconds ago = {}) {
    FakeClock then;
    then.set_wall(clock_.wall() - ago);
    Store(settings_, StoreUse::receive, then).announce({role, host, 1 << 30, then.wall(), actions, ""});
  };
  const Case cases[] = {
      {"waits for a moment", [&] { wait(std::chrono::minutes(1)); }, 0, "OK - 1 waiting"},
      {"waits too long", [&] { wait(std::chrono::minutes(6)); }, 1, "WARNING - 1 waiting"},
      {"waits far too long", [&] { wait(std::chrono::minutes(31)); }, 2, "CRITICAL - 1 waiting"},
      {"waits without deliverer", [&] { put("w"); }, 1, "no deliverer"},
      {"failed", [&] { put("w"), end_next("log", Mark::Kind::failed); }, 1, "1 failed"},
      {"removed action", [&] { put("w", {"gone"}), announce_deliverer(); }, 1, "gone"},
      {"silence", [&] { put("w", {}, std::chrono::days(8)); }, 1, "no callback for 8d"},
      {"refused whom we expect", [&] { refuse(true, std::chrono::hours(1)); }, 1, "47.74.206.1 (token)"},
      {"refused them long ago", [&] { refuse(true, std::chrono::hours(25)); }, 0, "OK"},
      {"refused a stranger", [&] { refuse(false, std::chrono::hours(1)); }, 0, "OK"},
      {"stale configuration",
       [&] {
         receiver_->announce({"receiver", host_name(), getpid(), clock_.wall(), "", "configuration stale"});
       },
       1, "configuration stale"},
      {"same actions", [&] { announce("receiver", "b", "log:1 page:2"), announce("deliverer", "a", "page:2"); }, 0,
       "OK"},
      {"other action of a name",
       [&] { announce("receiver", "b", "log:1 page:2"), announce("deliverer", "a", "log:1 page:3"); }, 1,
       "action page is not the same for receiver on b and deliverer on a"},
      {"receiver without an action",
       [&] { announce("receiver", "b", "log:1 page:2"), announce("receiver", "a", "log:1"); }, 1,
       "action page is not the same for receiver on a and receiver on b"},
      {"one that is gone",
       [&] { announce("receiver", "b", "log:1"), announce("receiver", host_name(), "log:2", std::chrono::minutes(1)); },
       0, "OK"}};
  for (const Case& c : cases) {
    std::filesystem::remove_all(directory_.path());
    std::filesystem::create_directory(directory_.path());
    SetUp();
    c.prepare();
    const Said said = run(kStatusVerb, {});
    EXPECT_EQ(said.code, c.code) << c.name << ": " << said.out;
    EXPECT_TRUE(contains(said.out, c.says)) << c.name << ": " << said.out;
    const Said json = run(kStatusVerb, {}, {{"json", ""}});
    EXPECT_EQ(json.code, c.code);
    EXPECT_TRUE(nlohmann::json::accept(json.out)) << json.out;
  }
}

TEST_F(Operator, StatusTakesOtherLimits) {
  put("a", {"log"}, std::chrono::minutes(2));
  announce_deliverer();
  EXPECT_EQ(run(kStatusVerb, {}, {{"warn-age", "1m"}}).code, 1);
  EXPECT_EQ(run(kStatusVerb, {}, {{"warn-age", "30s"}, {"crit-age", "1m"}}).code, 2);
  EXPECT_EQ(run(kStatusVerb, {}, {{"max-silence", "1m"}}).code, 1);
  EXPECT_EQ(run(kStatusVerb, {}, {{"warn-age", "soon"}}).code, kUsage);
}

TEST_F(Operator, StatusIsCriticalWithoutSpoolAndUnknownWithoutConfiguration) {
  std::filesystem::remove(directory_.path("spool.db"));
  std::ofstream(directory_.path("spool.db")) << "no database";
  Said said = run(kStatusVerb, {});
  EXPECT_EQ(said.code, 2) << said.out;
  EXPECT_TRUE(said.out.starts_with("CRITICAL - ")) << said.out;
  std::ofstream(directory_.path("conf")) << "nonsense = 1\n";
  said = run(kStatusVerb, {});
  EXPECT_EQ(said.code, 3);
  EXPECT_TRUE(said.out.starts_with("UNKNOWN - ")) << said.out;
}

// ---- test

TEST_F(Operator, DrillWithoutDelivererStaysSpooled) {
  const Said said = run(kTestVerb, {});
  EXPECT_EQ(said.code, kUnavailable);
  const auto ids = listed({});
  ASSERT_EQ(ids.size(), 1U);
  EXPECT_TRUE(receiver_->show(ids[0])->callback.test);
  EXPECT_EQ(state(ids[0]), "pending");
}

TEST_F(Operator, DrillSaysWhenNothingIsDeliveredInTime) {
  announce_deliverer();
  EXPECT_EQ(run(kTestVerb, {}, {{"wait", "0s"}}).code, kTryLater);
}

TEST_F(Operator, DrillSaysWhenNoActionTakesIt) {
  configure("[action.page]\ntype = command\nrun = /bin/true\nmatch = alertName none\n");
  announce_deliverer();
  EXPECT_EQ(run(kTestVerb, {}).code, kDataError);
}

TEST_F(Operator, DrillPrintsEachAttemptUntilAllDelivered) {
  configure("[action.page]\ntype = command\nrun = /bin/true\nmatch = alertName fire\n");
  announce_deliverer();
  std::thread other([this] {
    Store store(settings_, StoreUse::deliver, clock_);
    for (const Mark::Kind kind : {Mark::Kind::later, Mark::Kind::delivered}) {
      std::vector<Claimed> claimed;
      while (claimed.empty()) claimed = store.claim("page", 1, lease_, kNoLimit).taken;
      const Mark mark{claimed[0].alert_id,
                      claimed[0].action,
                      kind,
                      clock_.wall(),
                      claimed[0].attempt,
                      clock_.wall(),
                      milliseconds(5),
                      kind == Mark::Kind::later ? "exit 75" : "exit 0",
                      ""};
      store.mark({&mark, 1}, lease_);
    }
  });
  const Said said = run(kTestVerb, {"alertName=fire"});
  other.join();
  EXPECT_EQ(said.code, kOk) << said.out;
  EXPECT_TRUE(contains(said.out, "attempt 1") && contains(said.out, "exit 75")) << said.out;
  EXPECT_TRUE(contains(said.out, "attempt 2") && contains(said.out, "exit 0")) << said.out;
}

// ---- what they share

TEST(Life, IsToldByTheClockOrThePid) {
  const WallTime now{milliseconds(1'700'000'000'000)};
  const auto life = [&](const std::string& host, int pid, milliseconds silent) {
    return life_of({{"deliverer", host, pid, now, "", ""}, now - silent}, "here", now);
  };
  const milliseconds just_now{1000}, long_ago{3'600'000};
  constexpr int kNoProcess = 1 << 30;  // above every pid_max
  EXPECT_EQ(life("there", 1, just_now), Life::alive);
  EXPECT_EQ(life("there", 1, long_ago), Life::unknown);
  EXPECT_EQ(life("here", getpid(), long_ago), Life::alive);
  EXPECT_EQ(life("here", kNoProcess, long_ago), Life::dead);
}

TEST(AgeText, IsTheLargestUnit) {
  const std::pair<std::int64_t, const char*> cases[] = {{-5, "0s"},        {0, "0s"},          {999, "0s"},
                                                        {59'999, "59s"},   {60'000, "1m"},     {3'599'999, "59m"},
                                                        {3'600'000, "1h"}, {90'000'000, "1d"}, {172'799'999, "1d"}};
  for (const auto& [age, text] : cases) EXPECT_EQ(age_text(milliseconds(age)), text) << age;
}

TEST(Aligned, PadsNamesAndEscapesValues) {
  EXPECT_EQ(aligned({{"alertName", "a\nb"}, {"unit", ""}}),
            "  alertName  a\\nb\n"
            "  unit       \n");
}

}  // namespace
}  // namespace alertspool
