#include "alert/alert.h"
#include "alert/decode.h"
#include "main/operator.h"
#include "main/process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace alertspool {
namespace {

struct Ran {
  int exit = 0;
  std::string output;
  std::string errors;
};

/// run_main() as a shell calls it.
Ran run(std::vector<std::string> words) {
  words.insert(words.begin(), "alertspool");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.exit = run_main(static_cast<int>(argv.size()), argv.data());
  ran.output = testing::internal::GetCapturedStdout();
  ran.errors = testing::internal::GetCapturedStderr();
  return ran;
}

Call call(const std::vector<std::string>& words, const Fields& environment = {}) {
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  const Call call = parse_call(words);
  for (const auto& [name, value] : environment) unsetenv(name.c_str());
  return call;
}

/// What the usage error says; empty when there is none.
std::string usage_error(const std::vector<std::string>& words) {
  try {
    call(words);
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Call, WithoutAVerbIsServe) {
  EXPECT_STREQ(call({}).verb->name, "serve");
  EXPECT_STREQ(call({"--config", "/x"}).verb->name, "serve");
  EXPECT_EQ(call({"--config", "/x"}).arguments.value("config"), "/x");
}

TEST(Call, TakesTheConfigurationBeforeAndBehindTheVerb) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"--config", "/x", "check"},
                                                                                     {"--config=/x", "check"},
                                                                                     {"check", "--config", "/x"},
                                                                                     {"check", "--config=/x"}}) {
    const Call each = call(words);
    EXPECT_STREQ(each.verb->name, "check");
    EXPECT_EQ(each.arguments.value("config"), "/x");
    EXPECT_TRUE(each.arguments.positional.empty());
  }
  EXPECT_FALSE(call({"check"}).arguments.has("config"));
}

TEST(Call, CollectsOptionsAndArguments) {
  const Call each = call({"sample", "alertState=OK", "--json", "a=-1", "--", "--b=c"});
  EXPECT_TRUE(each.arguments.has("json"));
  EXPECT_FALSE(each.arguments.has("other"));
  EXPECT_EQ(each.arguments.positional, (std::vector<std::string>{"alertState=OK", "a=-1", "--b=c"}));
  EXPECT_EQ(call({"url", "b", "--token", "x", "--token=y"}).arguments.values("token"),
            (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(call({"url", "b", "--token", "x", "--token=y"}).arguments.value("token"), "y");
}

TEST(Call, WrongUseSaysWhereToRead) {
  EXPECT_TRUE(contains(usage_error({"xyzzy"}), "no verb xyzzy: alertspool --help")) << usage_error({"xyzzy"});
  EXPECT_TRUE(contains(usage_error({"deliver", "--onec"}), "--onec")) << usage_error({"deliver", "--onec"});
  EXPECT_TRUE(contains(usage_error({"deliver", "--onec"}), "alertspool deliver --help"));
  EXPECT_NE(usage_error({"deliver", "--on"}), "") << "options are not guessed";
  EXPECT_TRUE(contains(usage_error({"url", "--token"}), "url: "));
  EXPECT_TRUE(contains(usage_error({"status", "now"}), "takes no argument: now; alertspool status --help"));
  EXPECT_EQ(usage_error({"deliver", "--once"}), "");
}

TEST(Call, UnderCgiRunsNothingButServe) {
  const Field cgi{"GATEWAY_INTERFACE", "CGI/1.1"};
  const std::vector<std::vector<std::string>> queries = {
      {"drop", "1"}, {"--config=/x", "drop"}, {"--config", "/x"}, {"nonsense"}, {"--help"}};
  for (const auto& words : queries) {
    const Call each = call(words, {cgi, {"QUERY_STRING", "drop+1"}});
    EXPECT_STREQ(each.verb->name, "serve");
    EXPECT_FALSE(each.arguments.has("config"));
    EXPECT_TRUE(each.arguments.positional.empty());
    EXPECT_FALSE(each.help);
  }
  const Call wrapped = call({"drop", "--config", "/x"}, {cgi, {"QUERY_STRING", "token=x"}});
  EXPECT_STREQ(wrapped.verb->name, "serve");
  EXPECT_EQ(wrapped.arguments.value("config"), "/x");
}

TEST(Call, OnlyUnderCgiTheWebServerNamesTheConfiguration) {
  const Field cgi{"GATEWAY_INTERFACE", "CGI/1.1"}, named{"ALERTSPOOL_CONFIG", "/site.conf"};
  EXPECT_EQ(call({}, {cgi, named}).arguments.value("config"), "/site.conf");
  EXPECT_FALSE(call({}, {named}).arguments.has("config"));
}

TEST(RunMain, HelpNamesEveryVerbInEightyColumns) {
  const Ran ran = run({"--help"});
  EXPECT_EQ(ran.exit, 0);
  for (const Verb* verb : verbs())
    EXPECT_TRUE(contains(ran.output, std::string("\n  ") + verb->name + " ")) << verb->name;
  std::istringstream lines(ran.output);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(RunMain, HelpOfAVerbNamesItsOptions) {
  for (const Verb* verb : verbs()) {
    const Ran ran = run({verb->name, "--help"});
    EXPECT_EQ(ran.exit, 0);
    EXPECT_TRUE(contains(ran.output, std::string("usage: alertspool ") + verb->name)) << ran.output;
    for (const OptionSpec& option : verb->options) EXPECT_TRUE(contains(ran.output, std::string("--") + option.name));
  }
}

TEST(RunMain, ExitsAsSysexitsSays) {
  EXPECT_EQ(run({"--version"}).exit, 0);
  EXPECT_TRUE(contains(run({"--version"}).output, "alertspool " ALERTSPOOL_VERSION));
  EXPECT_EQ(run({"nonsense"}).exit, 64);
  EXPECT_EQ(run({"url"}).exit, 64);
  EXPECT_EQ(run({"check", "--config", "/nonexistent.conf"}).exit, 78);
  EXPECT_TRUE(contains(run({"check", "--config", "/nonexistent.conf"}).errors, "/nonexistent.conf: cannot read it"));
  const Ran absent = run({"explain", "/nonexistent", "--config", "/dev/null"});
  EXPECT_EQ(absent.exit, 69);
  EXPECT_EQ(absent.errors, "alertspool: cannot open /nonexistent: No such file or directory\n");
}

TEST(Sample, HasEveryDocumentedFieldAndSurvivesDecoding) {
  const WallTime now{milliseconds(1'700'000'000'123)};
  const auto decoded = decode("application/x-www-form-urlencoded; charset=UTF-8", encode_form(sample_fields(now, {})));
  const Fields fields = std::get<Decoded>(decoded).pairs;
  EXPECT_EQ(fields, sample_fields(now, {}));
  for (const std::string_view name : documented_fields()) EXPECT_NE(find(fields, name), nullptr) << name;
  EXPECT_NE(find(fields, "signature"), nullptr);
  EXPECT_EQ(value_of(fields, "timestamp"), "1700000000123");
}

TEST(Sample, OkEndsTheAlarmThatAlertBegan) {
  const Alert alert = make_alert({}, sample_fields({}, {}), false);
  const Alert ok = make_alert({}, sample_fields({}, {"alertState=OK"}), false);
  EXPECT_TRUE(fires(alert));
  EXPECT_TRUE(clears(ok));
  EXPECT_EQ(alert.alarm, ok.alarm);
  EXPECT_NE(alert.digest, ok.digest);
  EXPECT_EQ(value_of(ok.fields, "triggerLevel"), "OK");
}

TEST(Sample, TakesChanges) {
  const Fields fields = sample_fields({}, {"alertName=a=b & c", "regionId=", "new=1"});
  EXPECT_EQ(*find(fields, "alertName"), "a=b & c");
  EXPECT_EQ(*find(fields, "regionId"), "");
  EXPECT_EQ(*find(fields, "new"), "1");
  EXPECT_THROW(sample_fields({}, {"alertName"}), UsageError);
  EXPECT_THROW(sample_fields({}, {"=x"}), UsageError);
}

TEST(Sample, EncodesAsTheUrlStandardSays) {
  EXPECT_EQ(encode_form({{"a b", "*-._~é%&=+"}, {"c", ""}}), "a+b=*-._%7E%C3%A9%25%26%3D%2B&c=");
}

TEST(Sample, JsonIsAnEventThatDecodes) {
  const Ran ran = run({"sample", "--json", "level=CRITICAL"});
  const auto decoded = decode("application/json", ran.output);
  ASSERT_TRUE(std::holds_alternative<Decoded>(decoded));
  const Alert alert = make_alert({}, std::get<Decoded>(decoded).pairs, false);
  EXPECT_EQ(alert.severity, "CRITICAL");
  EXPECT_TRUE(alert.time_ms.has_value());
}

/// A configuration in a directory of its own.
class Configured : public testing::Test {
protected:
  Configured() {
    char name[] = "/tmp/alertspool-main-XXXXXX";
    directory_ = mkdtemp(name);
    chmod(directory_.c_str(), 0770);
  }
  ~Configured() override { (void)!system(("rm -r " + directory_).c_str()); }

  std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }

  /// The path of a configuration with this spool and these lines.
  std::string configured(const std::string& lines) const {
    return write("c.conf", "store = sqlite:" + directory_ + "/spool.db\n" + lines, 0640);
  }

  std::string directory_;
};

TEST_F(Configured, UrlCarriesTheChosenToken) {
  const std::string tokens = write("tokens", "db abcdefghijklmnop\nops qrstuvwxyzabcdef\n", 0640);
  const std::string config = configured("token-file = " + tokens + "\n");
  EXPECT_EQ(run({"url", "--config", config, "https://h/a", "--token", "ops"}).output,
            "https://h/a?token=qrstuvwxyzabcdef\n");
  EXPECT_EQ(run({"url", "--config", config, "https://h/a?team=db", "--token", "db"}).output,
            "https://h/a?team=db&token=abcdefghijklmnop\n");
  const Ran unnamed = run({"url", "--config", config, "https://h/a"});
  EXPECT_EQ(unnamed.exit, 64);
  EXPECT_TRUE(contains(unnamed.errors, "db ops")) << unnamed.errors;
  EXPECT_EQ(run({"url", "--config", config, "h/a", "--token", "db"}).exit, 64);
  EXPECT_TRUE(contains(run({"url", "--config", config, "http://h/a", "--token", "db"}).errors, "use https://"));
  EXPECT_TRUE(contains(run({"url", "--config", configured(""), "https://h/a", "--token", "db"}).errors,
                       "token-file with --token NAME: none is configured"));
}

TEST_F(Configured, CheckShowsWhereEachLevelGoes) {
  const std::string page = write("page", "#!/bin/sh\n", 0750);
  const std::string config =
      configured("[action.page]\ntype = command\nmatch = severity CRITICAL\nrun = " + page + " x\n");
  const Ran ran = run({"check", "--config", config});
  EXPECT_EQ(ran.exit, 0) << ran.output;
  EXPECT_TRUE(contains(ran.output, "  CRITICAL  page\n")) << ran.output;
  EXPECT_TRUE(contains(ran.output, "  WARN      no action: kept as unmatched\n")) << ran.output;
  EXPECT_TRUE(contains(ran.output, "not page: severity CRITICAL")) << ran.output;
  EXPECT_TRUE(contains(ran.output, "warning: no token-file"));
}

TEST(RunMain, AnEventsContentIsTheUsersWhenGiven) {
  const Ran ran = run({"sample", "--json", "content=mine"});
  EXPECT_EQ(ran.output.find("\"content\""), ran.output.rfind("\"content\"")) << ran.output;
  EXPECT_TRUE(contains(ran.output, R"("content":"mine")")) << ran.output;
}

TEST_F(Configured, CheckFindsWhatCannotWork) {
  const Ran missing = run({"check", "--config", configured("[action.a]\ntype = command\nrun = /nonexistent\n")});
  EXPECT_EQ(missing.exit, 78);
  EXPECT_TRUE(contains(missing.output, "error: action a: /nonexistent: No such file")) << missing.output;
  const std::string plain = write("plain", "", 0640);
  EXPECT_EQ(run({"check", "--config", configured("[action.a]\ntype = command\nrun = " + plain + "\n")}).exit, 78);
  const std::string open = write("open", "#!/bin/sh\n", 0757);
  const Ran writable = run({"check", "--config", configured("[action.a]\ntype = command\nrun = " + open + "\n")});
  EXPECT_EQ(writable.exit, 0);
  EXPECT_TRUE(contains(writable.output, "open to all users: chmod o-w " + open)) << writable.output;
  chmod(directory_.c_str(), 0777);
  EXPECT_TRUE(contains(run({"check", "--config", configured("")}).output, "open to all users: chmod o= " + directory_));
  chmod(directory_.c_str(), 01777);
  EXPECT_TRUE(contains(run({"check", "--config", configured("")}).output,
                       directory_ + " is open to all users: use a directory of its own"));
  EXPECT_EQ(run({"check", "--config", write("d.conf", "store = sqlite:/nonexistent/spool.db\n", 0640)}).exit, 78);
}

TEST_F(Configured, CheckNeverShowsASecret) {
  const std::string config = configured("token-file = " + write("tokens", "db abcdefghijklmnop\n", 0640) + "\n");
  const Ran ran = run({"check", "--config", config});
  EXPECT_FALSE(contains(ran.output + ran.errors, "abcdef"));
  EXPECT_TRUE(contains(ran.output, "tokens"));
}

TEST_F(Configured, InitMakesASpoolOnce) {
  const std::string config = configured("");
  EXPECT_TRUE(contains(run({"init", "--config", config}).output, "spool.db made"));
  const Ran again = run({"init", "--config", config});
  EXPECT_EQ(again.exit, 0);
  EXPECT_TRUE(contains(again.output, "was there already"));
}

TEST_F(Configured, InitRefusesASpoolThatIsDamaged) {
  const std::string config = configured("");
  write("spool.db", "", 0660);
  const Ran ran = run({"init", "--config", config});
  EXPECT_EQ(ran.exit, 69);
  EXPECT_TRUE(contains(ran.errors, "is empty (0 bytes)")) << ran.errors;
}

TEST_F(Configured, AnEmptyGatewayInterfaceIsNoCgi) {
  setenv("GATEWAY_INTERFACE", "", 1);
  const Ran ran = run({"--config", configured("")});
  unsetenv("GATEWAY_INTERFACE");
  EXPECT_EQ(ran.exit, 64);
  EXPECT_TRUE(contains(ran.errors, "no listening socket")) << ran.errors;
}

TEST_F(Configured, BackupSaysWhereItCannotWrite) {
  const std::string config = configured(""), path = directory_ + "/absent/copy.db";
  run({"init", "--config", config});
  EXPECT_EQ(run({"backup", "", "--config", config}).exit, 64);
  const Ran ran = run({"backup", path, "--config", config});
  EXPECT_EQ(ran.exit, 69);
  EXPECT_EQ(ran.errors, "alertspool: backup to " + path + ": unable to open database: " + path + "\n");
}

/// Blocks until some child has ended, without reaping it.
void wait_for_an_end() {
  siginfo_t info{};
  waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
}

TEST(DelivererProcess, PausesLongerEachTimeItDies) {
  testing::internal::CaptureStderr();
  DelivererProcess deliverer({"/bin/false"});
  SteadyTime now{};
  for (const int pause : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(deliverer.proceed(now), SteadyTime::max());
    wait_for_an_end();
    EXPECT_EQ(deliverer.proceed(now), now + std::chrono::seconds(pause));
    now += std::chrono::seconds(pause);
  }
  EXPECT_EQ(deliverer.proceed(now), SteadyTime::max());
  wait_for_an_end();
  now += std::chrono::seconds(60);
  deliverer.proceed(now);
  EXPECT_EQ(deliverer.proceed(now), now + std::chrono::seconds(1)) << "it lived long enough";
  EXPECT_TRUE(contains(testing::internal::GetCapturedStderr(), "event=deliverer-end"));
}

TEST(DelivererProcess, EndsWhenTheReceiverClosesItsPipe) {
  testing::internal::CaptureStderr();
  DelivererProcess deliverer({"/bin/cat"});
  deliverer.proceed(SteadyTime{});
  deliverer.stop();
  deliverer.wait(std::chrono::steady_clock::now() + std::chrono::hours(1));
  EXPECT_FALSE(contains(testing::internal::GetCapturedStderr(), "KILL"));
}

TEST(DelivererProcess, IsKilledWhenItDoesNotEnd) {
  testing::internal::CaptureStderr();
  DelivererProcess deliverer({"/bin/sleep", "1000"});
  deliverer.proceed(SteadyTime{});
  deliverer.stop();
  deliverer.wait(SteadyTime{});
  EXPECT_TRUE(contains(testing::internal::GetCapturedStderr(), "next=KILL"));
}

TEST(DelivererProcess, ThatCannotBeStartedIsTriedAgain) {
  testing::internal::CaptureStderr();
  DelivererProcess deliverer({"/nonexistent"});
  EXPECT_EQ(deliverer.proceed(SteadyTime{}), SteadyTime{} + std::chrono::seconds(1));
  EXPECT_TRUE(contains(testing::internal::GetCapturedStderr(), "cannot start /nonexistent"));
}

}  // namespace
}  // namespace alertspool
