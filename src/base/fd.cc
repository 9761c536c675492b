#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace alertspool {

// close(2) is not repeated on EINTR: Linux has released the descriptor by then.
void Fd::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail_with_errno("cannot make a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

void set_nonblocking(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) != 0)
    fail_with_errno("cannot set O_NONBLOCK");
}

void open_standard_descriptors() noexcept {
  // The lowest free descriptor is this one: those below are open by now.
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) break;
}

std::string read_file(const std::string& path, std::size_t limit) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail_with_errno("cannot open " + path);
  std::string content;
  std::array<char, 16384> buffer;
  while (const ssize_t got = read(file.get(), buffer.data(), buffer.size())) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno("cannot read " + path);
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) throw std::system_error(EFBIG, std::generic_category(), "cannot read " + path);
  }
  return content;
}

bool write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace alertspool
