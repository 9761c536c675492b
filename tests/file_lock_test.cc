#include "base/file_lock.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <thread>

namespace alertspool {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Two FileLock objects exclude each other as two processes do: each has an open file description of its own.
class FileLockTest : public testing::Test {
protected:
  void TearDown() override { std::filesystem::remove(path_); }

  static steady_clock::time_point soon() { return steady_clock::now() + milliseconds(30); }
  static steady_clock::time_point much_later() { return steady_clock::now() + std::chrono::minutes(1); }

  std::string path_ = testing::TempDir() + "file_lock_test." + std::to_string(getpid());
};

TEST_F(FileLockTest, LetsOneWriterInUntilItLeaves) {
  FileLock first(path_);
  FileLock second(path_);
  EXPECT_TRUE(first.lock_writer(soon()));
  EXPECT_FALSE(second.lock_writer(soon()));
  first.unlock_writer();
  EXPECT_TRUE(second.lock_writer(soon()));
}

TEST_F(FileLockTest, TakesAFreeLockEvenAfterTheDeadline) {
  FileLock lock(path_);
  EXPECT_TRUE(lock.lock_writer(steady_clock::now() - milliseconds(1)));
}

TEST_F(FileLockTest, AWriterThatGaveUpHoldsNobodyUp) {
  FileLock holder(path_);
  FileLock loser(path_);
  FileLock third(path_);
  ASSERT_TRUE(holder.lock_writer(soon()));
  ASSERT_FALSE(loser.lock_writer(soon()));
  holder.unlock_writer();
  EXPECT_TRUE(third.lock_writer(soon()));
}

TEST_F(FileLockTest, GivesUpInAThreadThatBlocksAllSignals) {
  FileLock holder(path_);
  ASSERT_TRUE(holder.lock_writer(soon()));
  bool locked = true;
  std::thread waiter([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    FileLock lock(path_);
    locked = lock.lock_writer(soon());
  });
  waiter.join();
  EXPECT_FALSE(locked);
}

TEST_F(FileLockTest, WaitsForAWriterThatLeavesInTime) {
  FileLock holder(path_);
  ASSERT_TRUE(holder.lock_writer(soon()));
  std::atomic<bool> waiting{false};
  bool locked = false;
  std::thread waiter([&] {
    FileLock lock(path_);
    waiting = true;
    locked = lock.lock_writer(much_later());
  });
  while (!waiting) std::this_thread::yield();
  holder.unlock_writer();
  waiter.join();
  EXPECT_TRUE(locked);
}

// A plain lock goes to who asks first after it is free: to the greedy one, as the other must be woken first.
TEST_F(FileLockTest, WhoLetsGoAndTakesAtOnceComesAfterTheOneThatWaits) {
  FileLock greedy(path_);
  ASSERT_TRUE(greedy.lock_writer(soon()));
  std::atomic<bool> done{false};
  bool locked = false;
  std::thread patient([&] {
    FileLock lock(path_);
    locked = lock.lock_writer(much_later());
    while (!done) std::this_thread::yield();
  });
  const Fd probe(open(path_.c_str(), O_RDWR | O_CLOEXEC));
  struct flock next {};
  do {  // until the other one waits
    next = {};
    next.l_type = F_WRLCK;
    next.l_len = 1;
    ASSERT_EQ(fcntl(probe.get(), F_OFD_GETLK, &next), 0);
  } while (next.l_type == F_UNLCK);
  greedy.unlock_writer();
  EXPECT_FALSE(greedy.lock_writer(steady_clock::now()));
  done = true;
  patient.join();
  EXPECT_TRUE(locked);
}

TEST_F(FileLockTest, OneDelivererIsActiveAndDoesNotStopWriters) {
  FileLock active(path_);
  FileLock standby(path_);
  EXPECT_TRUE(active.try_lock_deliverer());
  EXPECT_FALSE(standby.try_lock_deliverer());
  EXPECT_TRUE(standby.lock_writer(soon()));
}

TEST_F(FileLockTest, IsReleasedWhenItsHolderDies) {
  FileLock lock(path_);
  const pid_t holder = fork();
  if (holder == 0) {
    FileLock own(path_);
    if (own.lock_writer(much_later()) && own.try_lock_deliverer()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(holder, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(lock.lock_writer(soon()));
  EXPECT_TRUE(lock.try_lock_deliverer());
}

TEST_F(FileLockTest, MakesItsFileWithTheModeAskedForWhateverTheUmask) {
  const mode_t old = umask(077);
  const FileLock lock(path_, 0660);
  umask(old);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
}

TEST_F(FileLockTest, NamesTheFileThatItCannotMake) {
  try {
    const FileLock lock("/nonexistent/spool.lock");
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_NE(std::string(e.what()).find("/nonexistent/spool.lock"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace alertspool
