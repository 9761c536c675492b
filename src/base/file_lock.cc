#include "base/file_lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace alertspool {
namespace {

/// Makes it interrupt system calls, and nothing else.
int interrupt_signal() {
  static const int prepared = [] {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // no SA_RESTART
    if (sigaction(SIGRTMIN + 3, &action, nullptr) != 0) fail_with_errno("cannot set a signal handler");
    return SIGRTMIN + 3;
  }();
  return prepared;
}

/// While it lives, this thread's system calls are interrupted (EINTR) from `deadline` on, again every 10 ms: the first
/// interruption may fall between the look at the clock and the call.
class Interrupter {
public:
  explicit Interrupter(SteadyTime deadline) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = interrupt_signal();
    event._sigev_un._tid = gettid();  // glibc 2.36 has no sigev_notify_thread_id yet
    if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) fail_with_errno("cannot make a timer");
    const auto first = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch()).count();
    const itimerspec when{{0, 10'000'000}, {first / 1'000'000'000, first % 1'000'000'000}};
    timer_settime(timer_, TIMER_ABSTIME, &when, nullptr);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, interrupt_signal());
    pthread_sigmask(SIG_UNBLOCK, &signals, &old_mask_);
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;
  ~Interrupter() {
    timer_delete(timer_);
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

private:
  timer_t timer_{};
  sigset_t old_mask_{};
};

/// fcntl(2) for one byte; errno says why not.
bool change_lock(const Fd& file, int command, FileLock::Byte byte, short type) noexcept {
  struct flock lock = {
      .l_type = type, .l_whence = SEEK_SET, .l_start = static_cast<off_t>(byte), .l_len = 1, .l_pid = 0};
  return fcntl(file.get(), command, &lock) == 0;
}

Fd open_or_make(const std::string& path, mode_t mode) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC;
  Fd file(open(path.c_str(), kFlags));
  if (file || errno != ENOENT) return file;
  file = Fd(open(path.c_str(), kFlags | O_CREAT | O_EXCL, mode));
  if (!file && errno == EEXIST) return Fd(open(path.c_str(), kFlags));  // somebody else was faster
  if (file && fchmod(file.get(), mode) != 0) fail_with_errno("cannot set the mode of " + path);
  return file;
}

}  // namespace

FileLock::FileLock(const std::string& path, unsigned mode) : path_(path), file_(open_or_make(path, mode)) {
  if (!file_) fail_with_errno("cannot open the lock file " + path);
}

bool FileLock::lock_writer(SteadyTime deadline) {
  if (!wait_for(Byte::next, deadline)) return false;
  const struct Release {
    FileLock& lock;
    ~Release() { lock.unlock(Byte::next); }
  } at_the_end{*this};
  return wait_for(Byte::writer, deadline);
}

bool FileLock::try_lock(Byte byte) {
  if (change_lock(file_, F_OFD_SETLK, byte, F_WRLCK)) return true;
  if (errno != EAGAIN && errno != EACCES) fail_with_errno("cannot lock " + path_);
  return false;
}

bool FileLock::wait_for(Byte byte, SteadyTime deadline) {
  if (try_lock(byte)) return true;
  const Interrupter interrupter(deadline);
  while (std::chrono::steady_clock::now() < deadline) {
    if (change_lock(file_, F_OFD_SETLKW, byte, F_WRLCK)) return true;
    if (errno != EINTR) fail_with_errno("cannot lock " + path_);
  }
  return false;
}

void FileLock::unlock(Byte byte) noexcept {
  change_lock(file_, F_OFD_SETLK, byte, F_UNLCK);
}

}  // namespace alertspool
