#include "web/fastcgi_connections.h"

#include "base/log.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

namespace alertspool {

namespace {

constexpr milliseconds kLinger{2000};
constexpr milliseconds kSendTimeout{200};  // the committer writes answers: no peer may hold it
constexpr milliseconds kPauseAccepting{100};
constexpr milliseconds kPauseLogged{60'000};
constexpr int kAcceptsAtOnce = 64;
constexpr int kDrainsAtOnce = 16;

void set_timeout(int fd, int option, milliseconds timeout) noexcept {
  const timeval value{timeout.count() / 1000, timeout.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

bool bytes_wait(int fd) noexcept {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace

FastCgiConnections::FastCgiConnections(Fd listener, Listener whose, const Clock& clock)
    : listener_(std::move(listener)),
      whose_(whose),
      clock_(clock),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      end_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  set_nonblocking(listener_.get(), true);
  epoll_event ending{EPOLLIN, {.ptr = &end_}};
  if (!epoll_ || !end_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, end_.get(), &ending) != 0 ||
      !arm_listener(EPOLL_CTL_ADD))
    fail_with_errno("epoll");
}

FastCgiConnection* FastCgiConnections::wait(milliseconds patience) {
  for (;;) {
    epoll_event event{};
    ++waiting_;
    const int count = epoll_wait(epoll_.get(), &event, 1, static_cast<int>(patience.count()));
    --waiting_;
    if (count < 0) continue;  // EINTR: nothing else can fail here
    if (count == 0 || event.data.ptr == &end_) return nullptr;
    if (event.data.ptr == &listener_) {
      accept_some();
    } else if (auto* connection = static_cast<FastCgiConnection*>(event.data.ptr);
               has_request(*connection, event.events)) {
      return connection;
    }
  }
}

bool FastCgiConnections::has_request(FastCgiConnection& connection, unsigned events) {
  const State state = connection.state_;
  if (state == State::lingering) {
    drain(connection);
    return false;
  }
  // A web server that ended a kept connection, told from one that half-closed behind a whole request.
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && !bytes_wait(connection.fd_.get());
  if (ended || state == State::closing) {
    close(connection);
    return false;
  }
  connection.started = clock_.steady();
  connection.deadline_ = connection.started + kRequestDeadline;
  set_state(connection, State::busy);
  return true;
}

// ---- accepting

bool FastCgiConnections::arm_listener(int operation) noexcept {
  epoll_event event{EPOLLIN | EPOLLONESHOT, {.ptr = &listener_}};
  return epoll_ctl(epoll_.get(), operation, listener_.get(), &event) == 0;
}

void FastCgiConnections::accept_some() {
  const std::lock_guard lock(accept_mutex_);
  try {
    for (int i = 0; i < kAcceptsAtOnce && !stopping_ && accept_one(); ++i) continue;
    if (!stopping_ && !arm_listener(EPOLL_CTL_MOD)) fail_with_errno("epoll");
  } catch (const std::exception& error) {
    pause_accepting(error.what());
  }
}

/// False: nobody waits to be accepted. Throws for want of descriptors or memory.
///
/// Looks before it accepts: O_NONBLOCK belongs to all who share a socket that was handed over, and systemd 252 takes it
/// away for each ExecReload. Who then waits in accept4(2) holds the mutex that the end needs.
bool FastCgiConnections::accept_one() {
  if (!accepted_) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (poll(&waiting, 1, 0) == 0) return false;
    accepted_ = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  if (accepted_) {
    open(accepted_);
    return true;
  }
  if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) fail_with_errno("accept");
  return errno != EAGAIN;
}

/// REQUIRES: stopping_ is set. Afterwards nobody is in the middle of accepting.
void FastCgiConnections::end_accepting() {
  const std::lock_guard lock(accept_mutex_);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
  if (whose_ == Listener::handed_over) return;
  shutdown(listener_.get(), SHUT_RD);  // nobody can connect from here on: this ends
  try {
    while (accept_one()) continue;
  } catch (const std::exception& error) {
    log::error("stop", {{"error", error.what()}, {"next", "who was not accepted is cut off, the sender tries again"}});
  }
}

void FastCgiConnections::open(Fd& accepted) {
  set_timeout(accepted.get(), SO_RCVTIMEO, kRequestDeadline);
  set_timeout(accepted.get(), SO_SNDTIMEO, kSendTimeout);
  List fresh;
  FastCgiConnection& connection = fresh.emplace_back(accepted);
  connection.self_ = fresh.begin();
  {
    const std::lock_guard lock(mutex_);
    list_.splice(list_.begin(), fresh);
  }
  if (!arm(connection, State::idle, EPOLLIN, EPOLL_CTL_ADD)) fail_with_errno("epoll");
}

/// Running out of descriptors must not end the program, and the connection that waits must not make it spin.
void FastCgiConnections::pause_accepting(const std::string& why) {
  const SteadyTime now = clock_.steady();
  if (!pause_logged_ || now - *pause_logged_ >= kPauseLogged) {
    log::error("accept-paused", {{"why", why}, {"next", "tried again every 100ms, told again in a minute"}});
    pause_logged_ = now;
  }
  ++busy_;
  paused_until_ = now + kPauseAccepting;
}

// ---- one connection

void FastCgiConnections::keep(FastCgiConnection& connection) {
  arm(connection, State::idle, EPOLLIN, EPOLL_CTL_MOD);
}

void FastCgiConnections::linger(FastCgiConnection& connection) {
  shutdown(connection.fd_.get(), SHUT_WR);
  connection.deadline_ = clock_.steady() + kLinger;
  arm(connection, State::lingering, EPOLLIN, EPOLL_CTL_MOD);
}

void FastCgiConnections::close_later(FastCgiConnection& connection) {
  connection.deadline_ = clock_.steady() + kLinger;
  arm(connection, State::closing, EPOLLOUT, EPOLL_CTL_MOD);
}

void FastCgiConnections::drain(FastCgiConnection& connection) {
  std::array<char, 16384> waste;
  for (int i = 0; i < kDrainsAtOnce; ++i) {
    const ssize_t got = recv(connection.fd_.get(), waste.data(), waste.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return close(connection);
  }
  arm(connection, State::lingering, EPOLLIN, EPOLL_CTL_MOD);
}

void FastCgiConnections::close(FastCgiConnection& connection) {
  set_state(connection, State::idle);
  const std::lock_guard lock(mutex_);
  List gone;  // closed before the lock is: when stop() finds the list empty, all are closed
  gone.splice(gone.begin(), list_, connection.self_);
  if (list_.empty()) empty_.notify_all();
}

/// False: it is closed, for want of memory, and errno says so. Changing the state is the last touch: the thread that
/// gets the event reads it first.
bool FastCgiConnections::arm(FastCgiConnection& connection, State state, unsigned events, int operation) {
  const int fd = connection.fd_.get();
  epoll_event event{events | EPOLLRDHUP | EPOLLONESHOT, {.ptr = &connection}};
  set_state(connection, state);
  // stop() sets its flag before it looks for idle ones: what it did not see idle sees the flag here.
  const bool end_now = state == State::idle && stopping_ && !bytes_wait(fd);
  if (!end_now && epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return true;
  const int error = errno;
  close(connection);
  errno = error;
  return end_now;
}

void FastCgiConnections::set_state(FastCgiConnection& connection, State state) {
  const bool was_idle = connection.state_.exchange(state) == State::idle;
  busy_ += int{was_idle} - int{state == State::idle};
}

// ---- the watchdog, and the end

void FastCgiConnections::tick(SteadyTime now) {
  if (paused_until_.load() <= now) {
    paused_until_ = SteadyTime::max();
    --busy_;
    accept_some();
  }
  const std::lock_guard lock(mutex_);
  for (FastCgiConnection& connection : list_) {
    if (connection.deadline_.load() > now) continue;
    connection.deadline_ = SteadyTime::max();
    shutdown(connection.fd_.get(), SHUT_RDWR);
  }
}

bool FastCgiConnections::stop(SteadyTime until) {
  stopping_ = true;
  end_accepting();
  std::unique_lock lock(mutex_);
  // A request that has just arrived is served first; the answer closes its connection.
  for (const FastCgiConnection& connection : list_)
    if (connection.state_ == State::idle && !bytes_wait(connection.fd_.get()))
      shutdown(connection.fd_.get(), SHUT_RDWR);
  return empty_.wait_until(lock, until, [this] { return list_.empty(); });
}

void FastCgiConnections::end() noexcept {
  eventfd_write(end_.get(), 1);
}

}  // namespace alertspool
