#include "base/wake.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

namespace alertspool {
namespace {

class Wake : public testing::Test {
protected:
  Wake() { signal(SIGPIPE, SIG_IGN); }
  void TearDown() override { std::filesystem::remove(path_); }

  static bool is_readable(const WakeReceiver& receiver) {
    pollfd fd{receiver.fd(), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }

  std::string path_ = testing::TempDir() + "wake_test." + std::to_string(getpid());
};

TEST_F(Wake, ManyCallsAreOneDrain) {
  WakeReceiver receiver(path_);
  WakeSender sender(path_);
  EXPECT_FALSE(is_readable(receiver));
  for (int call = 0; call < 3; ++call) sender.call();
  EXPECT_TRUE(is_readable(receiver));
  receiver.drain();
  EXPECT_FALSE(is_readable(receiver));
}

TEST_F(Wake, ReachesADelivererThatComesLaterAndTheOneAfterIt) {
  WakeSender sender(path_);
  sender.call();
  auto receiver = std::make_unique<WakeReceiver>(path_);
  sender.call();
  EXPECT_TRUE(is_readable(*receiver));
  receiver.reset();
  sender.call();
  std::filesystem::remove(path_);
  receiver = std::make_unique<WakeReceiver>(path_);
  sender.call();
  EXPECT_TRUE(is_readable(*receiver));
}

TEST_F(Wake, DoesNotBlockWhenNobodyDrains) {
  WakeReceiver receiver(path_);
  WakeSender sender(path_);
  for (int call = 0; call < 100'000; ++call) sender.call();
  receiver.drain();
  EXPECT_FALSE(is_readable(receiver));
}

TEST_F(Wake, SendersComeAndGoWithoutEndOfFile) {
  WakeReceiver receiver(path_);
  WakeSender(path_).call();
  receiver.drain();
  EXPECT_FALSE(is_readable(receiver));
}

TEST_F(Wake, GivesItsFifoToTheGroupWhateverTheUmask) {
  const mode_t old = umask(077);
  const WakeReceiver receiver(path_);
  umask(old);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  EXPECT_EQ(fcntl(receiver.fd(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Wake, RefusesAPathThatIsNoFifo) {
  std::ofstream(path_) << "kept";
  EXPECT_THROW(WakeReceiver receiver(path_), std::system_error);
}

}  // namespace
}  // namespace alertspool
