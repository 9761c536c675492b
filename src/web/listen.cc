#include "web/listen.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace alertspool {

namespace {

constexpr int kBacklog = 4096;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw std::runtime_error("cannot listen on " + path + ": " + what);
}

[[noreturn]] void fail_with_errno(const std::string& path, const std::string& what) {
  alertspool::fail_with_errno("cannot listen on " + path + ": " + what);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.front() != '/') fail(path, "listen takes the absolute path of a unix socket");
  if (path.size() >= sizeof address.sun_path) fail(path, "the path is too long, 107 bytes are the limit");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

gid_t gid_of(const std::string& path, const std::string& name) {
  const group* const found = getgrnam(name.c_str());
  if (found == nullptr) fail(path, "listen-group: there is no group '" + name + "'");
  return found->gr_gid;
}

Fd unix_socket(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail_with_errno(path, "socket");
  return fd;
}

/// Makes way for bind(2): a socket that nobody answers was left behind by a process that is gone.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    fail_with_errno(path, "cannot look at it");
  }
  if (!S_ISSOCK(status.st_mode)) fail(path, "something that is no socket is there: remove it or choose another path");
  const Fd probe = unix_socket(path);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN)
    fail(path, "another process answers there: stop it first");
  if (errno != ECONNREFUSED) fail_with_errno(path, "cannot tell whether another process answers there");
  if (unlink(path.c_str()) != 0) fail_with_errno(path, "cannot remove the socket of a process that is gone");
}

}  // namespace

bool is_listening_socket(int fd) noexcept {
  const auto says = [fd](int option, int wanted) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
  };
  return says(SO_ACCEPTCONN, 1) && says(SO_TYPE, SOCK_STREAM);
}

Fd take_standard_input() {
  Fd taken(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!taken || !null || dup2(null.get(), STDIN_FILENO) < 0)
    fail_with_errno("cannot take the socket on standard input");
  return taken;
}

Fd listen_unix(const std::string& path, const std::string& group) {
  const sockaddr_un address = address_of(path);
  const gid_t gid = group.empty() ? static_cast<gid_t>(-1) : gid_of(path, group);
  // Of two that start together one would take the other's socket, which is bound and does not listen yet, for a stale
  // one.
  const Fd directory(open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory && flock(directory.get(), LOCK_EX) != 0) fail_with_errno(path, "cannot lock its directory");
  remove_stale(path, address);
  Fd fd = unix_socket(path);
  // The inode gets the socket's mode: nobody else can connect before the group is right.
  if (fchmod(fd.get(), 0600) != 0) fail_with_errno(path, "fchmod");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail_with_errno(path, "bind");
  try {
    if (!group.empty() && chown(path.c_str(), static_cast<uid_t>(-1), gid) != 0)
      fail_with_errno(path, "cannot give it to listen-group " + group);
    if (chmod(path.c_str(), 0660) != 0) fail_with_errno(path, "chmod");
    if (listen(fd.get(), kBacklog) != 0) fail_with_errno(path, "listen");
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
  return fd;
}

}  // namespace alertspool
