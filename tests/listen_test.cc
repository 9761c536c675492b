#include "web/listen.h"

#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace alertspool {
namespace {

bool connects(const std::string& path) {
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string why_not_listen(const std::string& path, const std::string& group = "") {
  try {
    listen_unix(path, group);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  lstat(path.c_str(), &status);
  return status;
}

class Listen : public testing::Test {
protected:
  TemporaryDirectory directory;
  const std::string path = directory.path("alertspool.sock");
};

TEST_F(Listen, TheSocketIsForOwnerAndGroupOnlyWhateverTheUmask) {
  const mode_t before = umask(0);
  const Fd open_umask = listen_unix(path, "");
  EXPECT_EQ(status_of(path).st_mode & 07777, 0660U);
  umask(0777);
  const Fd closed_umask = listen_unix(directory.path("other.sock"), "");
  EXPECT_EQ(status_of(directory.path("other.sock")).st_mode & 07777, 0660U);
  umask(before);
  EXPECT_TRUE(connects(path));
}

TEST_F(Listen, TheSocketIsCloseOnExec) {
  const Fd fd = listen_unix(path, "");
  EXPECT_TRUE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(Listen, ASocketWhoseOwnerIsGoneIsReplaced) {
  { const Fd gone = listen_unix(path, ""); }
  ASSERT_FALSE(connects(path));
  const Fd fd = listen_unix(path, "");
  EXPECT_TRUE(connects(path));
}

TEST_F(Listen, ASecondInstanceDoesNotTakeThePathAway) {
  const Fd first = listen_unix(path, "");
  EXPECT_NE(why_not_listen(path).find("another process answers"), std::string::npos);
  EXPECT_TRUE(connects(path));
}

TEST_F(Listen, AFileThatIsNoSocketStays) {
  std::ofstream(path) << "precious";
  EXPECT_NE(why_not_listen(path).find("no socket"), std::string::npos);
  EXPECT_TRUE(S_ISREG(status_of(path).st_mode));
}

TEST_F(Listen, RefusesWhatIsNoAbsolutePath) {
  for (const char* bad : {"", "127.0.0.1:9000", "[::1]:9041", "alertspool.sock"})
    EXPECT_NE(why_not_listen(bad).find("absolute path"), std::string::npos) << bad;
  EXPECT_NE(why_not_listen("/" + std::string(107, 'x')).find("too long"), std::string::npos);
}

TEST_F(Listen, AnUnknownGroupIsNamedAndNothingIsLeftBehind) {
  EXPECT_NE(why_not_listen(path, "no-such-group").find("no-such-group"), std::string::npos);
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(Listen, GivesTheSocketToTheGroup) {
  const group* own = getgrgid(getgid());
  if (own == nullptr) GTEST_SKIP() << "our group has no name";
  const std::string name = own->gr_name;
  const Fd fd = listen_unix(path, name);
  EXPECT_EQ(status_of(path).st_gid, getgid());
}

TEST_F(Listen, KnowsAListeningSocketFromOtherDescriptors) {
  const Fd listening = listen_unix(path, "");
  const Fd plain(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(is_listening_socket(listening.get()));
  EXPECT_FALSE(is_listening_socket(plain.get()));
  EXPECT_FALSE(is_listening_socket(file.get()));
  EXPECT_FALSE(is_listening_socket(-1));
}

TEST_F(Listen, TakesStandardInputAwayAndLeavesDevNull) {
  const Fd saved(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const Fd listening = listen_unix(path, "");
  ASSERT_EQ(dup2(listening.get(), STDIN_FILENO), STDIN_FILENO);
  const Fd taken = take_standard_input();
  char byte = 0;
  EXPECT_TRUE(is_listening_socket(taken.get()));
  EXPECT_GT(taken.get(), 2);
  EXPECT_TRUE(fcntl(taken.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_FALSE(is_listening_socket(STDIN_FILENO));
  EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 0);
  dup2(saved.get(), STDIN_FILENO);
}

}  // namespace
}  // namespace alertspool
