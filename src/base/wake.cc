#include "base/wake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace alertspool {

WakeReceiver::WakeReceiver(const std::string& path) {
  const std::string what = "cannot open the fifo " + path;
  constexpr mode_t kMode = 0660;
  const bool made = mkfifo(path.c_str(), kMode) == 0;
  if (!made && errno != EEXIST) fail_with_errno(what);
  // For writing too: a fifo that has a writer never reports end of file.
  fifo_ = Fd(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!fifo_ || fstat(fifo_.get(), &status) != 0) fail_with_errno(what);
  if (!S_ISFIFO(status.st_mode)) throw std::system_error(EEXIST, std::generic_category(), what);
  if (made && fchmod(fifo_.get(), kMode) != 0) fail_with_errno(what);  // whatever the umask took away
}

void WakeReceiver::drain() noexcept {
  std::array<char, 65536> calls;  // a fifo holds no more
  (void)!read(fifo_.get(), calls.data(), calls.size());
}

// Without a listener every call tries open(2) again: it fails in a microsecond or two (ENXIO), once for each commit.
void WakeSender::call() noexcept {
  for (int tries = 0; tries < 2; ++tries) {
    if (!fifo_) fifo_ = Fd(open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    // A full fifo (EAGAIN) wakes as well as one more byte would.
    if (!fifo_ || write(fifo_.get(), "", 1) == 1 || errno == EAGAIN) return;
    fifo_.reset();  // EPIPE: the deliverer that listened here is gone; perhaps another one has come
  }
}

}  // namespace alertspool
