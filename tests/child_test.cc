#include "base/child.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace alertspool {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Kind = Ending::Kind;

Command shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

/// The caller's loop, with a clock that the test may turn forward.
class Loop {
public:
  SteadyTime now = std::chrono::steady_clock::now();

  /// One turn: waits until something happens, or not at all when the deadline has come.
  void turn(Child& child) {
    std::vector<pollfd> fds;
    SteadyTime until = SteadyTime::max();
    child.poll_for(fds, until);
    poll(fds.data(), fds.size(), until <= now ? 0 : 10'000);
    child.proceed(now);
  }
  void until_output(Child& child) {
    while (!child.done() && child.ending().output.empty()) turn(child);
  }
  const Ending& until_done(Child& child) {
    while (!child.done()) turn(child);
    return child.ending();
  }
};

Ending run(const Command& command) {
  Loop loop;
  Child child(command, loop.now);
  return loop.until_done(child);
}

class ChildTest : public testing::Test {
protected:
  ChildTest() { signal(SIGPIPE, SIG_IGN); }
};

TEST_F(ChildTest, ExitsWithItsCode) {
  for (const int code : {0, 1, 75, 255}) {
    const Ending ending = run(shell("exit " + std::to_string(code)));
    EXPECT_EQ(ending.kind, Kind::exited);
    EXPECT_EQ(ending.code, code);
    EXPECT_EQ(ending.text(), "exit " + std::to_string(code));
  }
}

TEST_F(ChildTest, DiesFromSignal) {
  const Ending ending = run(shell("kill -9 $$"));
  EXPECT_EQ(ending.kind, Kind::signalled);
  EXPECT_EQ(ending.text(), "signal 9 (Killed)");
}

TEST_F(ChildTest, CannotBeStarted) {
  const std::string script = testing::TempDir() + "child_test." + std::to_string(getpid());
  std::ofstream(script) << "exit 0\n";
  const struct {
    const char* what;
    std::string path;
    unsigned mode;
    int error;
  } cases[] = {{"no such command", "/nonexistent/page", 0700, ENOENT},
               {"not executable", script, 0600, EACCES},
               {"no shell runs what has no #!", script, 0700, ENOEXEC},
               {"a directory", "/tmp", 0, EACCES}};
  for (const auto& c : cases) {
    if (c.path == script) chmod(script.c_str(), c.mode);
    Command command;
    command.argv = {c.path};
    Loop loop;
    const Child child(command, loop.now);
    ASSERT_TRUE(child.done()) << c.what;
    EXPECT_EQ(child.ending().kind, Kind::not_started) << c.what;
    EXPECT_EQ(child.ending().code, c.error) << c.what;
  }
  std::filesystem::remove(script);
}

TEST_F(ChildTest, CannotBeStartedWhileItsFileIsBeingWritten) {
  const std::string path = testing::TempDir() + "child_test.busy." + std::to_string(getpid());
  std::filesystem::copy_file("/bin/true", path, std::filesystem::copy_options::overwrite_existing);
  const Fd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  Command command;
  command.argv = {path};
  const Ending ending = run(command);
  EXPECT_EQ(ending.kind, Kind::not_started);
  EXPECT_EQ(ending.text(), "cannot start: Text file busy");
  std::filesystem::remove(path);
}

TEST_F(ChildTest, CannotBeStartedWithMoreEnvironmentThanTheKernelTakes) {
  Command command = shell("exit 0");
  command.environment.push_back("BIG=" + std::string(200'000, 'x'));
  EXPECT_EQ(run(command).code, E2BIG);
}

TEST_F(ChildTest, ReadsAllOfItsInput) {
  Command command = shell("cksum");
  command.input = std::string(1'000'000, 'a');
  EXPECT_EQ(run(command).output, "3401932319 1000000\n");  // cksum(1), POSIX
}

TEST_F(ChildTest, NeedNotReadItsInput) {
  for (const char* script : {"exit 0", "exec <&-; exit 0", "head -c 1 >/dev/null; exit 0"}) {
    Command command = shell(script);
    command.input = std::string(1'000'000, 'a');
    EXPECT_EQ(run(command).text(), "exit 0") << script;
  }
}

TEST_F(ChildTest, WritesMoreThanThePipeHolds) {
  Command command = shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2");
  command.output_cap = 10;
  const Ending ending = run(command);
  EXPECT_EQ(ending.text(), "exit 0");
  EXPECT_EQ(ending.output, "xxxxxxxxxx");
}

TEST_F(ChildTest, KeepsStandardOutputAndStandardErrorInTheOrderInWhichTheyCame) {
  EXPECT_EQ(run(shell("echo one; echo two >&2; echo three")).output, "one\ntwo\nthree\n");
}

TEST_F(ChildTest, KeepsWhatItWroteJustBeforeItsEnd) {
  for (int turn = 0; turn < 50; ++turn) ASSERT_EQ(run(shell("echo last words")).output, "last words\n");
}

TEST_F(ChildTest, EndlessOutputDoesNotHoldTheLoop) {
  Loop loop;
  Child child(shell("exec yes"), loop.now);
  for (int turn = 0; turn < 10; ++turn) loop.turn(child);
  EXPECT_FALSE(child.done());
  EXPECT_EQ(child.ending().output.size(), 4096U);
}

TEST_F(ChildTest, RunsTooLong) {
  Command command = shell("echo ready; exec sleep 1000");
  command.timeout = seconds(30);
  Loop loop;
  Child child(command, loop.now);
  loop.until_output(child);
  loop.now += seconds(30);
  const Ending& ending = loop.until_done(child);
  EXPECT_EQ(ending.text(), "timeout after 30s");
  EXPECT_EQ(ending.duration, seconds(30));
}

TEST_F(ChildTest, ATimeoutIsATimeoutWhateverTheCommandMakesOfTerm) {
  Command command = shell("trap 'exit 0' TERM; echo ready; while :; do sleep 1; done");
  command.timeout = seconds(1);
  Loop loop;
  Child child(command, loop.now);
  loop.until_output(child);
  loop.now += seconds(1);
  EXPECT_EQ(loop.until_done(child).kind, Kind::timed_out);
}

TEST_F(ChildTest, IsKilledFiveSecondsAfterATermThatItIgnores) {
  Command command = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
  command.timeout = seconds(30);
  Loop loop;
  Child child(command, loop.now);
  loop.until_output(child);
  loop.now += seconds(30);
  child.proceed(loop.now);
  loop.now += seconds(5) - milliseconds(1);
  child.proceed(loop.now);
  EXPECT_EQ(kill(child.pid(), 0), 0);
  EXPECT_FALSE(child.done());
  loop.now += milliseconds(1);
  EXPECT_EQ(loop.until_done(child).kind, Kind::timed_out);
}

TEST_F(ChildTest, TakesTermEvenWhenItIsStopped) {
  Loop loop;
  Child child(shell("echo ready; exec sleep 1000"), loop.now);
  loop.until_output(child);
  kill(child.pid(), SIGSTOP);
  waitid(P_PID, static_cast<id_t>(child.pid()), nullptr, WSTOPPED | WNOWAIT);
  child.terminate(loop.now);
  EXPECT_EQ(loop.until_done(child).text(), "signal 15 (Terminated)");
}

TEST_F(ChildTest, IsKilledWhenTerminatedTwice) {
  Loop loop;
  Child child(shell("trap '' TERM; echo ready; while :; do sleep 1; done"), loop.now);
  loop.until_output(child);
  child.terminate(loop.now);
  child.terminate(loop.now);
  EXPECT_EQ(loop.until_done(child).text(), "signal 9 (Killed)");
}

/// Waits for the process itself: no time-out is long enough on a busy machine.
void expect_gone(pid_t pid) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  pollfd fd{process.get(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 10'000), 1) << "process " << pid << " still runs";
}

TEST_F(ChildTest, GrandchildKeepsPipeOpen) {
  Loop loop;
  Child child(shell("sleep 1000 & echo $!"), loop.now);
  loop.until_output(child);
  waitid(P_PID, static_cast<id_t>(child.pid()), nullptr, WEXITED | WNOWAIT);
  child.proceed(loop.now);
  EXPECT_FALSE(child.done());
  loop.now += milliseconds(200);
  child.proceed(loop.now);
  ASSERT_TRUE(child.done());
  EXPECT_EQ(child.ending().text(), "exit 0");
  expect_gone(std::stoi(child.ending().output));
}

TEST_F(ChildTest, GrandchildThatClosedThePipeIsKilledToo) {
  const Ending ending = run(shell("sleep 1000 >/dev/null 2>&1 & echo $!"));
  EXPECT_EQ(ending.text(), "exit 0");
  expect_gone(std::stoi(ending.output));
}

TEST_F(ChildTest, TakesItsGroupAlongWhenItIsDestroyed) {
  Loop loop;
  pid_t grandchild = 0;
  {
    Child child(shell("sleep 1000 & echo $!; wait"), loop.now);
    loop.until_output(child);
    grandchild = std::stoi(child.ending().output);
  }
  expect_gone(grandchild);
}

TEST_F(ChildTest, InheritsNoDescriptor) {
  const Fd left_open(dup(STDERR_FILENO));                                       // not close-on-exec
  EXPECT_EQ(run(shell("ls /proc/self/fd | tr '\\n' ' '")).output, "0 1 2 3 ");  // 3 is ls reading the directory
}

TEST_F(ChildTest, InheritsNoVariable) {
  Command command = shell("");
  command.argv = {"/usr/bin/env"};
  command.environment = {"CMS_ALERT_NAME=cpu %s", "ALERTSPOOL_ID=42"};
  EXPECT_EQ(run(command).output, "CMS_ALERT_NAME=cpu %s\nALERTSPOOL_ID=42\n");
}

TEST_F(ChildTest, StartsInTheRootDirectoryAsLeaderOfItsGroup) {
  const Ending ending = run(shell("pwd; ps -o pgid= -p $$ | tr -d ' '; echo $$"));
  const std::string pid = ending.output.substr(ending.output.rfind('\n', ending.output.size() - 2) + 1);
  EXPECT_EQ(ending.output, "/\n" + pid + pid);
}

TEST_F(ChildTest, StartsWithAllSignalsUnblockedAndNoneIgnored) {
  sigset_t blocked;
  sigset_t old;
  sigfillset(&blocked);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  const Ending ending = run(shell("sed -n 's/^Sig\\(Blk\\|Ign\\):.//p' /proc/self/status"));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  // glibc itself ignores its two internal signals, 32 and 33, in what it spawns.
  EXPECT_EQ(ending.output, "0000000000000000\n0000000180000000\n");
}

TEST_F(ChildTest, NothingIsASyntaxOfAnyShell) {
  Command command;
  command.argv = {"/bin/echo", "$(id)", "`id`", "a;b", "*"};
  EXPECT_EQ(run(command).output, "$(id) `id` a;b *\n");
}

TEST_F(ChildTest, ThousandEndWithoutLeavingDescriptors) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return std::distance(begin(entries), end(entries));
  };
  const auto before = descriptors();
  for (int turn = 0; turn < 100; ++turn) run(shell("exit 0"));
  EXPECT_EQ(descriptors(), before);
}

TEST_F(ChildTest, StrangersAreReapedAndKnownChildrenAreNot) {
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  Loop loop;
  Child escaping(shell("setsid sh -c 'exec >/dev/null 2>&1; echo $$ >&3' 3>&1"), loop.now);
  const Ending ending = loop.until_done(escaping);
  const pid_t stranger = std::stoi(ending.output);
  Child known(shell("exit 7"), loop.now);
  std::vector<pollfd> fds;
  SteadyTime until;
  known.poll_for(fds, until);
  poll(fds.data(), 1, 10'000);
  reap_strangers();
  EXPECT_EQ(loop.until_done(known).text(), "exit 7");
  expect_gone(stranger);
  reap_strangers();
  EXPECT_EQ(kill(stranger, 0), -1);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(SpawnDetached, HasASessionOfItsOwnAndTheDescriptorsGiven) {
  Pipe pipe = make_pipe();
  const pid_t pid = spawn_detached({"/bin/sh", "-c",
                                    "files=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); "
                                    "echo $files $(ps -o sid= -p $$) >&2"},
                                   -1, pipe.write.get());
  pipe.write.reset();
  std::string said;
  char buffer[512];
  for (ssize_t got = 0; (got = read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  waitpid(pid, nullptr, 0);
  EXPECT_EQ(said, "/dev/null /dev/null " + std::to_string(pid) + "\n");
}

TEST(SpawnDetached, SaysWhatCannotBeStarted) {
  EXPECT_THROW(spawn_detached({"/nonexistent/alertspool", "deliver"}, -1, -1), std::system_error);
}

}  // namespace
}  // namespace alertspool
