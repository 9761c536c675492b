// What we believe of libfcgi: when another version behaves differently, these fail before anything else does.

#include "web/fastcgi_codec.h"

#include "base/fd.h"
#include "fastcgi_client.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace alertspool {
namespace {

using Next = FastCgiCodec::Next;

class Codec : public testing::Test {
protected:
  static void SetUpTestSuite() { FastCgiCodec::prepare(); }

  void SetUp() override {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ours = Fd(pair[0]);
    server = std::make_unique<FastCgiClient>(Fd(pair[1]));
    codec = std::make_unique<FastCgiCodec>(ours.get());
  }

  bool open() const { return fcntl(ours.get(), F_GETFD) >= 0; }

  Fd ours;
  std::unique_ptr<FastCgiClient> server;
  std::unique_ptr<FastCgiCodec> codec;
  Request request;
};

TEST_F(Codec, ReadsARequestAnswersItAndReadsTheNextOnTheSameConnection) {
  for (const std::string body : {"a=1", "b=22"}) {
    server->send(post(body, "team=db"));
    Request next;
    ASSERT_TRUE(codec->read_head(next));
    EXPECT_EQ(next.method, "POST");
    EXPECT_EQ(next.query_string, "team=db");
    codec->read_body(next, body.size());
    EXPECT_TRUE(next.whole);
    EXPECT_EQ(next.body, body);
    EXPECT_EQ(codec->answer({200, "accepted 1", ""}), Next::keep);
    EXPECT_EQ(brief(server->answer()), "200 accepted 1");
  }
}

TEST_F(Codec, NeverClosesEvenWhenTheWebServerAsksForIt) {
  server->send(post("a=1", "", false));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  EXPECT_EQ(codec->answer({200, "x", ""}), Next::close);
  EXPECT_EQ(brief(server->answer()), "200 x");
  ASSERT_TRUE(open());
  EXPECT_EQ(send(ours.get(), "!", 1, MSG_NOSIGNAL), 1) << "nor did it shut the socket down";
}

TEST_F(Codec, ABadRecordClosesTheDuplicateOnlyAndDoesNotWait) {
  server->send(std::string(64, '\xff'));
  EXPECT_FALSE(codec->read_head(request));
  ASSERT_TRUE(open());
  EXPECT_EQ(send(ours.get(), "!", 1, MSG_NOSIGNAL), 1);
}

TEST_F(Codec, LibfcgiNeverSeesWhatNoWebServerSends) {
  const std::string management = record::make(static_cast<record::Type>(11), "", 0);
  const std::string whole = post("a=1");
  server->send(whole.substr(0, 16) + management + whole.substr(16));
  EXPECT_FALSE(codec->read_head(request));
  EXPECT_TRUE(server->silent()) << "it would have answered that";
}

TEST_F(Codec, ABodyThatSuchARecordInterruptsIsNotWhole) {
  server->send(head(post_parameters("a=1")) + record::make(record::input, "a=1") +
               record::make(static_cast<record::Type>(11), "", 0) + record::make(record::input, ""));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  EXPECT_FALSE(request.whole);
}

TEST_F(Codec, AConnectionThatEndsIsNoRequest) {
  server.reset();
  EXPECT_FALSE(codec->read_head(request));
  EXPECT_TRUE(open());
}

TEST_F(Codec, AHeadCutShortIsNoRequestWhereverItWasCut) {
  const std::string whole = head(post_parameters("a=1"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SetUp();
    server->send(whole.substr(0, size));
    server->half_close();
    EXPECT_FALSE(codec->read_head(request)) << size << " of " << whole.size();
  }
}

TEST_F(Codec, ABodyShorterThanAnnouncedIsNotWhole) {
  server->send(post("a=1"));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 4);
  EXPECT_FALSE(request.whole);
  EXPECT_EQ(request.body, "a=1");
  EXPECT_EQ(codec->answer({400, "x", ""}), Next::keep) << "its end came: the connection is in step";
}

TEST_F(Codec, ABodyLongerThanAnnouncedIsNotWhole) {
  server->send(post("a=1234"));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  EXPECT_FALSE(request.whole);
  EXPECT_EQ(codec->answer({400, "x", ""}), Next::linger);
}

TEST_F(Codec, ABodyWithoutTheEndOfItsStreamIsNotWhole) {
  server->send(head(post_parameters("a=1")) + record::make(record::input, "a=1"));
  server->half_close();
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  EXPECT_FALSE(request.whole);
}

TEST_F(Codec, AnAbortedBodyIsNotWhole) {
  server->send(head(post_parameters("a=1")) + record::make(record::input, "a=1") + record::make(record::abort, ""));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  EXPECT_FALSE(request.whole);
}

// As SIGCONT and debuggers do to a read with a time-out.
TEST_F(Codec, AReadThatIsInterruptedGoesOn) {
  struct sigaction handler {
  }, before{};
  handler.sa_handler = [](int) {};
  sigaction(SIGUSR2, &handler, &before);
  server->send(head(post_parameters("a=1")));
  ASSERT_TRUE(codec->read_head(request));
  std::atomic<pid_t> tid{0};
  std::thread reader([&] {
    tid = gettid();
    codec->read_body(request, 3);
  });
  const auto sleeps = [&] {
    const std::string stat = tid == 0 ? "" : read_file("/proc/self/task/" + std::to_string(tid) + "/stat", 4096);
    return stat.find(") S ") != stat.npos;
  };
  while (!sleeps()) std::this_thread::yield();
  pthread_kill(reader.native_handle(), SIGUSR2);
  server->send(record::make(record::input, "a=1") + record::make(record::input, ""));
  reader.join();
  sigaction(SIGUSR2, &before, nullptr);
  EXPECT_TRUE(request.whole);
}

TEST_F(Codec, AnAnswerBeforeTheBodyWasReadLingers) {
  server->send(post("a=1"));
  ASSERT_TRUE(codec->read_head(request));
  EXPECT_EQ(codec->answer({403, "forbidden", ""}), Next::linger);
  EXPECT_EQ(brief(server->answer()), "403 forbidden");
}

TEST_F(Codec, ADiscardedBodyKeepsTheConnectionInStep) {
  server->send(post(std::string(20000, 'x')));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 65536);
  EXPECT_EQ(codec->answer({411, "length required", ""}), Next::keep);
  EXPECT_EQ(brief(server->answer()), "411 length required");
  server->send(post("a=1"));
  EXPECT_TRUE(codec->read_head(request));
}

TEST_F(Codec, DiscardsNoMoreThanTheLimit) {
  server->send(post(std::string(60000, 'x')));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 10000);
  EXPECT_EQ(codec->answer({411, "length required", ""}), Next::linger);
}

TEST_F(Codec, AnAnswerToAPeerThatIsGoneCloses) {
  signal(SIGPIPE, SIG_IGN);
  server->send(post("a=1"));
  ASSERT_TRUE(codec->read_head(request));
  codec->read_body(request, 3);
  server.reset();
  EXPECT_EQ(codec->answer({200, "x", ""}), Next::close);
}

TEST_F(Codec, CountsEachRemoteAddr) {
  Parameters parameters = post_parameters("");
  parameters.emplace_back("REMOTE_ADDR", "192.0.2.1");
  server->send(alertspool::request(parameters, ""));
  ASSERT_TRUE(codec->read_head(request));
  EXPECT_EQ(request.remote_addr, "47.74.206.1");
  EXPECT_EQ(request.remote_addr_count, 2);
}

TEST(CodecPrepare, LeavesTheDispositionsOfSignalsAlone) {
  FastCgiCodec::prepare();
  for (const int number : {SIGTERM, SIGUSR1}) {
    struct sigaction now {};
    sigaction(number, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL) << number;
  }
}

}  // namespace
}  // namespace alertspool
