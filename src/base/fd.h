/// Fd: owns one file descriptor and closes it. Everything that makes descriptors here makes them close-on-exec.

#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace alertspool {

class Fd {
public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

/// Throws std::system_error for errno: `what`, and why.
[[noreturn]] void fail_with_errno(const std::string& what);

/// Both ends close-on-exec and blocking. Throws std::system_error.
Pipe make_pipe();

void set_nonblocking(int fd, bool on);

/// Opens descriptors 0 to 2 on /dev/null where they are closed, so that no file of ours becomes standard error.
/// The first thing that main() does.
void open_standard_descriptors() noexcept;

/// Whole file, at most `limit` bytes (more is EFBIG). Throws std::system_error.
std::string read_file(const std::string& path, std::size_t limit);

/// Writes all to a blocking descriptor; false on error (errno says which).
bool write_all(int fd, std::string_view bytes) noexcept;

}  // namespace alertspool
