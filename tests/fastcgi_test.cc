#include "web/fastcgi.h"

#include "base/file_lock.h"
#include "fastcgi_client.h"
#include "spools.h"
#include "store/committer.h"
#include "store/store.h"
#include "temporary_directory.h"
#include "web/listen.h"
#include "web/refusal_log.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <set>
#include <thread>

namespace alertspool {
namespace {

using namespace std::chrono_literals;

const char kAlert[] = "alertName=cpu&alertState=ALERT&userId=12&ruleId=r1&timestamp=1604919253334";

std::string alert(int number) {
  return kAlert + ("&n=" + std::to_string(number));
}

StoreSettings store_settings(const TemporaryDirectory& directory) {
  StoreSettings settings;
  settings.url = "sqlite:" + directory.path("spool.db");
  settings.free_space_floor = 0;
  settings.lock_timeout = 100ms;
  return settings;
}

std::shared_ptr<const ReceiverSettings> receiver_settings() {
  ReceiverSettings settings;
  settings.access.allow = {std::get<Prefix>(parse_prefix("47.74.206.0/26"))};
  settings.routes = {{"log", {}, true}};
  return std::make_shared<const ReceiverSettings>(settings);
}

/// The receiver as main() makes it, on a socket and a spool of its own.
class FastCgiTest : public testing::Test {
protected:
  void SetUp() override { signal(SIGPIPE, SIG_IGN); }

  FastCgiClient connect() const { return FastCgiClient(path); }
  std::vector<Record> stored() {
    committer.stop(clock.steady() + 10s);
    return listed(store);
  }
  bool stop() { return fastcgi.stop(clock.steady() + 10s); }

  TemporaryDirectory directory;
  const std::string path = directory.path("socket");
  SystemClock clock;
  Store store{store_settings(directory), StoreUse::receive, clock};
  RefusalLog refusals{clock};
  Committer committer{store, clock, [](std::size_t) {}};
  std::shared_ptr<const ReceiverSettings> settings = receiver_settings();
  FastCgi fastcgi{listen_unix(path, ""),
                  Listener::ours,
                  [this] { return std::atomic_load(&settings); },
                  committer,
                  refusals,
                  clock};
};

TEST_F(FastCgiTest, StoresThenAnswersAndKeepsTheConnection) {
  FastCgiClient client = connect();
  EXPECT_EQ(brief(client.ask(post(alert(1)))), "200 accepted 1");
  EXPECT_EQ(brief(client.ask(post(alert(2)))), "200 accepted 2");
  EXPECT_EQ(brief(client.ask(post(alert(1)))), "200 duplicate 1");
  ASSERT_TRUE(stop());
  const std::vector<Record> records = stored();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].callback.body, alert(1));
  EXPECT_EQ(records[1].duplicates, 1);
}

TEST_F(FastCgiTest, ClosesTheConnectionWhenTheWebServerAsksForIt) {
  for (const std::string& bytes : {post(alert(1), "", false), request(get_parameters(), "", false)}) {
    FastCgiClient client = connect();
    EXPECT_EQ(brief(client.ask(bytes)).substr(0, 3), "200");
    EXPECT_TRUE(client.ended());
  }
}

TEST_F(FastCgiTest, AnswersProbesAndRefusals) {
  FastCgiClient client = connect();
  EXPECT_EQ(brief(client.ask(request(get_parameters(), ""))), "200 ready");
  EXPECT_EQ(brief(client.ask(request(get_parameters("HEAD"), ""))), "200 ready");
  EXPECT_EQ(brief(client.ask(request(get_parameters("PUT"), ""))), "405 method not allowed");
  Parameters chunked = post_parameters("a=1");
  chunked.back().second = "";
  EXPECT_EQ(brief(client.ask(request(chunked, "a=1"))), "411 length required");
  EXPECT_EQ(brief(client.ask(request(get_parameters(), ""))), "200 ready") << "still the same connection";
}

TEST_F(FastCgiTest, AForgedForwardingHeaderChangesNothing) {
  Parameters parameters = post_parameters(kAlert);
  parameters[1].second = "192.0.2.1";
  parameters.emplace_back("HTTP_X_FORWARDED_FOR", "47.74.206.1");
  EXPECT_EQ(brief(connect().ask(request(parameters, kAlert))), "403 forbidden");
  parameters.emplace_back("REMOTE_ADDR", "47.74.206.1");
  EXPECT_EQ(brief(connect().ask(request(parameters, kAlert))), "403 forbidden");
  ASSERT_TRUE(stop());
  EXPECT_TRUE(stored().empty());
}

TEST_F(FastCgiTest, ARefusalKeepsTheConnectionWhenTheBodyIsThere) {
  FastCgiClient client = connect();
  Parameters parameters = post_parameters(kAlert);
  parameters[1].second = "192.0.2.1";
  EXPECT_EQ(brief(client.ask(request(parameters, kAlert))), "403 forbidden");
  EXPECT_EQ(brief(client.ask(post(alert(1)))), "200 accepted 1");
}

TEST_F(FastCgiTest, AnAnswerBeforeTheBodyWasReadIsStillReadable) {
  FastCgiClient client = connect();
  Parameters large = post_parameters("");
  large.back().second = "1000000";
  ASSERT_TRUE(client.send(head(large)));
  EXPECT_EQ(brief(client.answer()), "413 body too large");
  EXPECT_TRUE(client.send(record::make(record::input, std::string(60000, 'x')))) << "it lingers instead of resetting";
  EXPECT_TRUE(client.ended());
}

TEST_F(FastCgiTest, NeverStoresABodyOfAnotherLength) {
  Parameters parameters = post_parameters(kAlert);
  const std::string whole = head(parameters);
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"shorter", whole + record::make(record::input, "a=1") + record::make(record::input, "")},
      {"longer", whole + record::make(record::input, std::string(kAlert) + "&b=2") + record::make(record::input, "")},
      {"cut off", whole + record::make(record::input, kAlert)},
      {"aborted", whole + record::make(record::input, kAlert) + record::make(record::abort, "")},
  };
  for (const auto& c : cases) {
    FastCgiClient client = connect();
    client.send(c.bytes);
    client.half_close();
    EXPECT_EQ(brief(client.answer()).substr(0, 15), "400 bad request") << c.what;
  }
  ASSERT_TRUE(stop());
  EXPECT_TRUE(stored().empty());
}

TEST_F(FastCgiTest, AWholeRequestOfAPeerThatHalfClosedIsAnswered) {
  FastCgiClient client = connect();
  client.send(post(alert(1)));
  client.half_close();
  EXPECT_EQ(brief(client.answer()), "200 accepted 1");
}

TEST_F(FastCgiTest, ARequestThatDribblesIsCutOffThoughNoReadTimesOut) {
  FastCgiClient client = connect();
  const std::string bytes = post(alert(1));
  std::size_t sent = 0;
  pollfd end{client.fd(), POLLIN, 0};
  while (sent < bytes.size() && poll(&end, 1, 100) == 0 && client.send(bytes.substr(sent, 1))) ++sent;
  EXPECT_LT(sent, bytes.size());
  EXPECT_TRUE(client.ended());
}

TEST_F(FastCgiTest, GarbageEndsItsConnectionAndNothingElse) {
  FastCgiClient good = connect();
  FastCgiClient bad = connect();
  bad.send(std::string(100, '\xff'));
  EXPECT_TRUE(bad.ended());
  EXPECT_EQ(brief(good.ask(post(alert(1)))), "200 accepted 1");
}

TEST_F(FastCgiTest, StalledRequestsDoNotHoldUpAGoodOne) {
  std::vector<FastCgiClient> stalled;
  for (int i = 0; i < 200; ++i) {
    stalled.push_back(connect());
    stalled.back().send(post(alert(i)).substr(0, 20));
  }
  EXPECT_EQ(brief(connect().ask(post(alert(1)))), "200 accepted 1");
  EXPECT_TRUE(stalled.back().silent()) << "the good one waited for the stalled ones to be cut off";
  for (FastCgiClient& client : stalled) EXPECT_TRUE(client.ended());
}

TEST_F(FastCgiTest, IdleKeptConnectionsHoldNoReader) {
  std::vector<FastCgiClient> idle;
  for (int i = 0; i < 300; ++i) {
    idle.push_back(connect());
    ASSERT_EQ(brief(idle.back().ask(request(get_parameters(), ""))), "200 ready");
  }
  EXPECT_EQ(brief(connect().ask(post(alert(1)))), "200 accepted 1");
}

TEST_F(FastCgiTest, ManyAtOnceAreAllStoredAndEachIsAnsweredWithItsOwnId) {
  constexpr int kClients = 16;
  constexpr int kEach = 50;
  std::vector<std::future<std::vector<std::string>>> clients;
  for (int c = 0; c < kClients; ++c)
    clients.push_back(std::async(std::launch::async, [this, c] {
      std::vector<std::string> answers;
      FastCgiClient client = connect();
      for (int i = 0; i < kEach; ++i) answers.push_back(brief(client.ask(post(alert(c * kEach + i)))));
      return answers;
    }));
  std::map<std::int64_t, std::string> bodies;
  for (int c = 0; c < kClients; ++c) {
    const auto answers = clients[static_cast<std::size_t>(c)].get();
    for (int i = 0; i < kEach; ++i) {
      const std::string& text = answers[static_cast<std::size_t>(i)];
      ASSERT_EQ(text.substr(0, 13), "200 accepted ") << text;
      bodies[std::stoll(text.substr(13))] = alert(c * kEach + i);
    }
  }
  EXPECT_EQ(bodies.size(), std::size_t{kClients * kEach});
  ASSERT_TRUE(stop());
  ASSERT_TRUE(committer.stop(clock.steady() + 10s));
  for (const auto& [id, body] : bodies) EXPECT_EQ(store.show(id)->callback.body, body);
}

TEST_F(FastCgiTest, DeeplyNestedJsonFitsTheReadersStack) {
  std::string body = "{\"a\":" + std::string(30000, '[') + std::string(30000, ']') + "}";
  Parameters parameters = post_parameters(body);
  parameters[3].second = "application/json";
  EXPECT_NE(brief(connect().ask(request(parameters, body))), "none");
}

TEST_F(FastCgiTest, TakesNewSettingsWithTheNextRequest) {
  FastCgiClient client = connect();
  EXPECT_EQ(brief(client.ask(post(alert(1)))), "200 accepted 1");
  auto changed = std::make_shared<ReceiverSettings>(*receiver_settings());
  changed->access.tokens = {{"ops", "s3cret"}};
  std::atomic_store(&settings, std::shared_ptr<const ReceiverSettings>(changed));
  EXPECT_EQ(brief(client.ask(post(alert(2)))), "403 forbidden");
}

TEST_F(FastCgiTest, ASpoolThatAnotherHoldsIsA503UntilItIsReleased) {
  FastCgiClient client = connect();
  EXPECT_EQ(brief(client.ask(post(alert(1)))), "200 accepted 1");
  {
    FileLock held(directory.path("spool.db-lock"));
    ASSERT_TRUE(held.lock_writer(clock.steady() + 10s));
    EXPECT_EQ(brief(client.ask(post(alert(2)))), "503 not stored, try again");
    EXPECT_EQ(brief(client.ask(request(get_parameters(), ""))), "503 not ready");
  }
  EXPECT_EQ(brief(client.ask(post(alert(2)))).substr(0, 3), "200");
  ASSERT_TRUE(stop());
  EXPECT_EQ(stored().size(), 2U);
}

TEST_F(FastCgiTest, StopClosesIdleConnectionsAndAcceptsNoMore) {
  std::vector<FastCgiClient> idle;
  for (int i = 0; i < 64; ++i) {
    idle.push_back(connect());
    ASSERT_EQ(brief(idle.back().ask(request(get_parameters(), ""))), "200 ready");
  }
  ASSERT_TRUE(stop());
  for (FastCgiClient& client : idle) EXPECT_TRUE(client.ended());
  EXPECT_TRUE(stop()) << "a second time changes nothing";
}

TEST_F(FastCgiTest, StopLetsARequestThatIsBeingReadEnd) {
  FastCgiClient client = connect();
  const std::string bytes = post(alert(1));
  ASSERT_EQ(brief(client.ask(request(get_parameters(), ""))), "200 ready");
  ASSERT_TRUE(client.send(bytes.substr(0, 40)));
  auto stopping = std::async(std::launch::async, [this] { return stop(); });
  ASSERT_TRUE(client.send(bytes.substr(40)));
  EXPECT_EQ(brief(client.answer()), "200 accepted 1");
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(stopping.get());
}

TEST_F(FastCgiTest, AListenerThatBecomesBlockingHoldsNobodyUp) {
  const std::string other = directory.path("handed over");
  Fd listener = listen_unix(other, "");
  const Fd shared(fcntl(listener.get(), F_DUPFD_CLOEXEC, 3));
  FastCgi handed_over{
      std::move(listener), Listener::handed_over, [this] { return settings; }, committer, refusals, clock};
  set_nonblocking(shared.get(), false);  // as systemd does for each ExecReload
  ASSERT_EQ(brief(FastCgiClient(other).ask(request(get_parameters(), ""))), "200 ready");
  auto stopping = std::async(std::launch::async, [&] { return handed_over.stop(clock.steady() + 5s); });
  EXPECT_EQ(stopping.wait_for(10s), std::future_status::ready);
  const FastCgiClient who_ends_an_accept(other);
  EXPECT_TRUE(stopping.get());
}

TEST_F(FastCgiTest, StopSaysWhenItsDeadlinePassedFirst) {
  FastCgiClient client = connect();
  ASSERT_EQ(brief(client.ask(request(get_parameters(), ""))), "200 ready");
  ASSERT_TRUE(client.send(post(alert(1)).substr(0, 40)));
  EXPECT_FALSE(fastcgi.stop(clock.steady()));
  EXPECT_TRUE(stop()) << "the request deadline ends it";
}

TEST_F(FastCgiTest, RunningOutOfDescriptorsDelaysAndEndsNothing) {
  FastCgiClient kept = connect();
  ASSERT_EQ(brief(kept.ask(post(alert(1)))), "200 accepted 1");
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int lowest = Fd(fcntl(0, F_DUPFD_CLOEXEC, 3)).get();
  for (const int left : {0, 1}) {  // one: enough to accept, too few to open
    FastCgiClient late(FastCgiClient::unconnected());
    const rlimit scarce{static_cast<rlim_t>(lowest + 1 + left), before.rlim_max};  // `late` has the lowest
    setrlimit(RLIMIT_NOFILE, &scarce);
    late.connect_to(path);
    late.send(post(alert(1)));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(brief(kept.ask(request(get_parameters(), ""))), "200 ready");
    EXPECT_TRUE(late.silent());
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(brief(late.answer()), "200 duplicate 1");
  }
}

/// Open descriptors, and of them those that a child would inherit.
struct Descriptors {
  std::set<int> open;
  std::set<int> inheritable;

  Descriptors() {
    for (int fd = 0; fd < 1024; ++fd) {
      const int flags = fcntl(fd, F_GETFD);
      if (flags >= 0) open.insert(fd);
      if (flags >= 0 && (flags & FD_CLOEXEC) == 0) inheritable.insert(fd);
    }
  }
};

TEST_F(FastCgiTest, ItsDescriptorsAreCloseOnExecAndAreGivenBack) {
  ASSERT_EQ(brief(connect().ask(post(alert(1)))), "200 accepted 1");
  ASSERT_TRUE(stop());
  const Descriptors before;
  {
    FastCgi again{listen_unix(directory.path("again"), ""),
                  Listener::ours,
                  [this] { return settings; },
                  committer,
                  refusals,
                  clock};
    FastCgiClient client(directory.path("again"));
    ASSERT_EQ(brief(client.ask(request(get_parameters(), ""))), "200 ready");
    const Descriptors while_open;
    EXPECT_GT(while_open.open.size(), before.open.size());
    EXPECT_EQ(while_open.inheritable, before.inheritable);
  }
  EXPECT_EQ(Descriptors().open, before.open);
}

}  // namespace
}  // namespace alertspool
