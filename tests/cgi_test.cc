#include "web/cgi.h"

#include "base/fd.h"
#include "spools.h"
#include "store/store.h"
#include "temporary_directory.h"
#include "web/refusal_log.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace alertspool {
namespace {

const std::string kAlert = "alertName=cpu&alertState=ALERT&userId=12&ruleId=r1";

StoreSettings store_settings(const std::string& file, std::int64_t free_space_floor = 0) {
  StoreSettings settings;
  settings.url = "sqlite:" + file;
  settings.free_space_floor = free_space_floor;
  return settings;
}

ReceiverSettings receiver_settings() {
  ReceiverSettings settings;
  settings.access.allow = {std::get<Prefix>(parse_prefix("47.74.206.0/26"))};
  settings.routes = {{"log", {}, true}};
  return settings;
}

/// Puts a descriptor in the place of standard input or output, for as long as it lives.
class Redirected {
public:
  Redirected(int standard, int to) : standard_(standard), saved_(fcntl(standard, F_DUPFD_CLOEXEC, 3)) {
    dup2(to, standard);
  }
  ~Redirected() { dup2(saved_.get(), standard_); }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

private:
  int standard_;
  Fd saved_;
};

class Cgi : public testing::Test {
protected:
  /// The whole answer. `input_end`: whether standard input ends behind the body.
  std::string serve(std::vector<std::string> environment, const std::string& body, bool input_end = true) {
    return serve(store, std::move(environment), body, input_end);
  }
  std::string serve(Store& spool, std::vector<std::string> environment, const std::string& body, bool input_end) {
    std::vector<char*> pointers;
    for (std::string& entry : environment) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    Pipe input = make_pipe();
    Pipe output = make_pipe();
    write_all(input.write.get(), body);
    if (input_end) input.write.reset();
    {
      const Redirected in(STDIN_FILENO, input.read.get());
      const Redirected out(STDOUT_FILENO, output.write.get());
      output.write.reset();
      stored = serve_cgi(receiver_settings(), spool, refusals, clock, pointers.data());
      // Still redirected: only serve_cgi() can have ended it.
      std::string answer(4096, '\0');
      std::size_t have = 0;
      ssize_t got = 0;
      while ((got = read(output.read.get(), &answer[have], answer.size() - have)) > 0)
        have += static_cast<std::size_t>(got);
      answer.resize(have);
      return answer;
    }
  }

  std::string post(const std::string& body, const std::string& length, bool input_end = true) {
    return serve({"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=POST", "REMOTE_ADDR=47.74.206.1", "QUERY_STRING=team=db",
                  "CONTENT_TYPE=application/x-www-form-urlencoded", "CONTENT_LENGTH=" + length,
                  "HTTP_X_FORWARDED_FOR=192.0.2.1"},
                 body, input_end);
  }

  TemporaryDirectory directory;
  SystemClock clock;
  Store store{store_settings(directory.path("spool.db")), StoreUse::receive, clock};
  RefusalLog refusals{clock};
  bool stored = false;
};

TEST_F(Cgi, StoresThenAnswersAndEndsStandardOutput) {
  EXPECT_EQ(post(kAlert, std::to_string(kAlert.size())),
            "Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n\r\naccepted 1\n");
  EXPECT_TRUE(stored);
  ASSERT_EQ(listed(store).size(), 1U);
  EXPECT_EQ(listed(store)[0].callback.body, kAlert);
  EXPECT_EQ(listed(store)[0].callback.query, "team=db");
  EXPECT_NE(post(kAlert, std::to_string(kAlert.size())).find("duplicate 1"), std::string::npos);
}

TEST_F(Cgi, DoesNotWaitForTheEndOfStandardInput) {
  EXPECT_NE(post(kAlert, std::to_string(kAlert.size()), false).find("accepted 1"), std::string::npos);
}

TEST_F(Cgi, NeverStoresABodyOfAnotherLength) {
  for (const std::size_t length : {kAlert.size() - 1, kAlert.size() + 1}) {
    EXPECT_EQ(post(kAlert, std::to_string(length)).substr(0, 11), "Status: 400") << length;
    EXPECT_FALSE(stored);
  }
  EXPECT_TRUE(listed(store).empty());
}

TEST_F(Cgi, ABodyThatDoesNotComeIsGivenUp) {
  EXPECT_EQ(post(kAlert, std::to_string(kAlert.size() + 1), false).substr(0, 11), "Status: 400");
  EXPECT_FALSE(stored);
}

TEST_F(Cgi, AnswersAProbeAndCountsARefusal) {
  EXPECT_NE(serve({"REQUEST_METHOD=GET", "REMOTE_ADDR=192.0.2.1"}, "").find("ready"), std::string::npos);
  EXPECT_FALSE(stored);
  EXPECT_EQ(serve({"REQUEST_METHOD=POST", "REMOTE_ADDR=192.0.2.1", "CONTENT_LENGTH=3"}, "a=1").substr(0, 11),
            "Status: 403");
  const std::vector<RefusalCount> counts = store.status().refusals;
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].reason, "address");
}

TEST_F(Cgi, AnswersOnlyThe503OfASpoolThatCannotBeUsed) {
  std::filesystem::create_directory(directory.path("spool.db"));
  testing::internal::CaptureStderr();
  const std::string answer = post(kAlert, std::to_string(kAlert.size()));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("event=refuse reason=not-stored addr=47.74.206.1 "),
            std::string::npos);
  EXPECT_EQ(answer.substr(0, 11), "Status: 503");
  EXPECT_NE(answer.find("Retry-After: "), std::string::npos);
  EXPECT_EQ(answer.find("spool.db"), std::string::npos) << "the reason is for the log";
  EXPECT_FALSE(stored);
  const std::string probed = serve({"REQUEST_METHOD=GET"}, "");
  EXPECT_EQ(probed.substr(0, 11), "Status: 503");
  EXPECT_TRUE(probed.ends_with("not ready\n")) << probed;
  EXPECT_EQ(serve({"REQUEST_METHOD=POST", "REMOTE_ADDR=192.0.2.1"}, "").substr(0, 11), "Status: 403")
      << "a refusal that cannot be counted is a refusal all the same";
}

TEST_F(Cgi, AProbeOfAFullDiskIsAnswered503) {
  Store full(store_settings(directory.path("spool.db"), INT64_MAX), StoreUse::receive, clock);
  EXPECT_EQ(serve(full, {"REQUEST_METHOD=GET"}, "", true).substr(0, 11), "Status: 503");
}

}  // namespace
}  // namespace alertspool
