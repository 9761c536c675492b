#include "base/fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace alertspool {
namespace {

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

TEST(Fd, ClosesWhatItOwns) {
  int raw = -1;
  {
    const Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    raw = fd.get();
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(Fd, MovesItsDescriptorAndClosesTheOneItHeld) {
  Fd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Fd second(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int kept = first.get();
  const int closed = second.get();
  second = std::move(first);
  EXPECT_EQ(second.get(), kept);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(closed));
}

TEST(Fd, PipesAreCloseOnExec) {
  const Pipe pipe = make_pipe();
  EXPECT_EQ(fcntl(pipe.read.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(pipe.write.get(), F_GETFD), FD_CLOEXEC);
}

TEST(Fd, WriteAllReportsAClosedReader) {
  Pipe pipe = make_pipe();
  EXPECT_TRUE(write_all(pipe.write.get(), "alert"));
  pipe.read.reset();
  signal(SIGPIPE, SIG_IGN);
  EXPECT_FALSE(write_all(pipe.write.get(), "alert"));
  EXPECT_EQ(errno, EPIPE);
}

// In a child: the test's own descriptors are none of its business.
int exit_code_of(void (*body)()) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(99);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardDescriptors, AreOpenedOnDevNullWhenClosed) {
  EXPECT_EQ(exit_code_of([] {
              for (int fd = 0; fd <= 2; ++fd) close(fd);
              open_standard_descriptors();
              _exit(is_open(0) && is_open(1) && is_open(2) ? 0 : 1);
            }),
            0);
}

TEST(StandardDescriptors, StayAsTheyAreWhenOpen) {
  EXPECT_EQ(exit_code_of([] {
              close(0);
              open_standard_descriptors();
              _exit(is_open(0) ? 0 : 1);
            }),
            0);
}

class ReadFile : public testing::Test {
protected:
  void TearDown() override { std::filesystem::remove(path_); }

  std::string path_ = testing::TempDir() + "fd_test." + std::to_string(getpid());
};

TEST_F(ReadFile, GivesEveryByteUpToTheLimit) {
  const std::string bytes = std::string("a\0b\n", 4) + std::string(40'000, 'x');
  std::ofstream(path_) << bytes;
  EXPECT_EQ(read_file(path_, bytes.size()), bytes);
  EXPECT_THROW(read_file(path_, bytes.size() - 1), std::system_error);
}

TEST_F(ReadFile, NamesTheFileThatItCannotRead) {
  for (const std::string& path : {path_ + ".absent", std::string("/tmp")}) {
    try {
      read_file(path, 10);
      FAIL() << path;
    } catch (const std::system_error& e) {
      EXPECT_NE(std::string(e.what()).find(path), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace alertspool
