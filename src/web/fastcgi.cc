#include "web/fastcgi.h"

#include "base/log.h"
#include "store/committer.h"
#include "web/fastcgi_codec.h"
#include "web/refusal_log.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace alertspool {

namespace {

constexpr milliseconds kTick{20};
constexpr milliseconds kAwakeAfterWork{
    1000};  ///< so that a slow trickle of requests does not wake the watchdog for each
constexpr milliseconds kLongestSleep{10'000};  ///< refusals that were left out are due then
constexpr milliseconds kSurplusReader{1000};   ///< ends after so long without work
constexpr milliseconds kPauseAccepting{100};
constexpr milliseconds kPauseLogged{60'000};  ///< again at the soonest
constexpr milliseconds kLinger{2000};
constexpr milliseconds kSendTimeout{200};  ///< the committer writes answers: no peer may hold it
constexpr std::size_t kReaderStack = 256 * 1024;
constexpr int kAcceptsAtOnce = 64;
constexpr int kDrainsAtOnce = 16;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void set_timeout(int fd, int option, milliseconds timeout) noexcept {
  const timeval value{timeout.count() / 1000, timeout.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

/// A web server that went away, told from one that half-closed behind a whole request.
bool nothing_to_read(int fd) noexcept {
  char byte = 0;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool bytes_wait(int fd) noexcept {
  int waiting = 0;
  return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

}  // namespace

/// Every connection is armed once in epoll (EPOLLONESHOT) and then belongs to the one thread that got its event, or to
/// the committer while it is parked, until it is armed again or closed. Others may only shut its descriptor down, under
/// the mutex: it leaves the list before its descriptor is closed.
struct FastCgi::Impl {
  enum class State { idle, busy, lingering, closing };

  struct Connection {
    /// `f` stays as it is when this throws.
    Connection(Impl& o, Fd& f) : owner(o), codec(f.get()), fd(std::move(f)) {}

    Impl& owner;
    FastCgiCodec codec;
    Fd fd;
    std::list<Connection>::iterator self;
    std::atomic<State> state{State::idle};
    std::atomic<SteadyTime> deadline{SteadyTime::max()};
    SteadyTime started;
    Decision parked;
  };
  using Connections = std::list<Connection>;
  enum class Thread { reader, committer };

  Impl(Fd l, Settings s, Committer& c, RefusalLog& r, const Clock& k)
      : listener(std::move(l)), settings(std::move(s)), committer(c), refusals(r), clock(k) {}
  ~Impl();
  void start();
  bool stop(SteadyTime until);

  // ---- connections
  void accept_some();
  bool listen_on(int operation) noexcept;
  void pause_accepting(const std::string& why);
  void open(Fd& fd);
  void arm(Connection& connection, unsigned events, int operation = EPOLL_CTL_MOD);
  void set_state(Connection& connection, State state);
  void linger(Connection& connection, State state, unsigned events);
  void drain(Connection& connection);
  void close(Connection& connection);

  // ---- one request
  void serve(Connection& connection, unsigned events);
  void read_request(Connection& connection);
  Decision decide(Connection& connection, Request& request);
  void act_on(Connection& connection, Decision decision);
  void stored(Connection& connection, const PutResult& result) noexcept;
  void finish(Connection& connection, const Response& response, Thread thread);
  void refused(const Refused& refused);

  // ---- readers and the watchdog
  template <bool surplus>
  static void* reader_main(void* impl) {
    static_cast<Impl*>(impl)->run_reader(surplus);
    return nullptr;
  }
  bool start_reader(bool surplus) noexcept;
  void run_reader(bool surplus);
  void wake_watchdog();
  void watch();
  bool sleep(std::unique_lock<std::mutex>& lock);
  void tick(SteadyTime now);
  void enforce_deadlines(SteadyTime now);
  void add_readers();
  void write_accepts();

  Fd listener;
  Settings settings;
  Committer& committer;
  RefusalLog& refusals;
  const Clock& clock;
  Fd epoll;
  Fd end;  ///< readable for ever once the readers may go

  std::mutex mutex;  ///< guards these four
  std::condition_variable changed;
  Connections connections;
  int readers = 0;
  bool ended = false;

  std::mutex accepts_mutex;
  log::Batch accepts;

  std::atomic<bool> stopping{false};
  std::atomic<bool> asleep{false};    ///< the watchdog
  std::atomic<int> busy{0};           ///< connections that are not idle, and the listener while it pauses
  std::atomic<int> waiting{0};        ///< readers with nothing to do
  std::atomic<unsigned> progress{0};  ///< requests read
  unsigned progress_seen = 0;
  Fd accepted;  ///< and not open yet, for want of descriptors; belongs to whoever has the listener's event, as this:
  std::optional<SteadyTime> pause_logged;
  std::atomic<SteadyTime> paused_until{SteadyTime::max()};
  std::thread watchdog;
};

// ---- start and stop

void FastCgi::Impl::start() {
  FastCgiCodec::prepare();
  set_nonblocking(listener.get(), true);
  epoll = Fd(epoll_create1(EPOLL_CLOEXEC));
  end = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event ending{EPOLLIN, {.ptr = &end}};
  if (!epoll || !end || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, end.get(), &ending) != 0 || !listen_on(EPOLL_CTL_ADD))
    fail("epoll");
  const std::lock_guard lock(mutex);
  for (int i = 0; i < kWarmReaders; ++i)
    if (!start_reader(false)) fail("cannot start a thread");
  watchdog = std::thread([this] { watch(); });
}

bool FastCgi::Impl::stop(SteadyTime until) {
  stopping = true;
  epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.get(), nullptr);
  std::unique_lock lock(mutex);
  // Whose request has just arrived is served first: finish() closes it then.
  for (const Connection& connection : connections)
    if (connection.state == State::idle && !bytes_wait(connection.fd.get())) shutdown(connection.fd.get(), SHUT_RDWR);
  if (!changed.wait_until(lock, until, [this] { return connections.empty(); })) return false;
  eventfd_write(end.get(), 1);
  changed.wait(lock, [this] { return readers == 0; });
  ended = true;
  changed.notify_all();
  lock.unlock();
  if (watchdog.joinable()) watchdog.join();
  write_accepts();
  return true;
}

FastCgi::Impl::~Impl() {
  while (!stop(std::chrono::steady_clock::now() + std::chrono::seconds(1))) {
  }
}

// ---- connections

bool FastCgi::Impl::listen_on(int operation) noexcept {
  epoll_event event{EPOLLIN | EPOLLONESHOT, {.ptr = &listener}};
  return epoll_ctl(epoll.get(), operation, listener.get(), &event) == 0;
}

/// EMFILE and its relatives must not end the program, and the connection that waits must not make it spin.
void FastCgi::Impl::pause_accepting(const std::string& why) {
  const SteadyTime now = clock.steady();
  if (!pause_logged || now - *pause_logged >= kPauseLogged) {
    log::error("accept-paused", {{"why", why}, {"next", "tried again every 100ms, told again in a minute"}});
    pause_logged = now;
  }
  paused_until = now + kPauseAccepting;
  ++busy;
  wake_watchdog();
}

void FastCgi::Impl::accept_some() {
  try {
    for (int i = 0; i < kAcceptsAtOnce && !stopping; ++i) {
      if (!accepted) accepted = Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (accepted) {
        open(accepted);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != ECONNABORTED && errno != EINTR) {
        fail("accept");
      }
    }
    listen_on(EPOLL_CTL_MOD);
  } catch (const std::exception& error) {
    pause_accepting(error.what());
  }
}

void FastCgi::Impl::open(Fd& fd) {
  set_timeout(fd.get(), SO_RCVTIMEO, kRequestDeadline);
  set_timeout(fd.get(), SO_SNDTIMEO, kSendTimeout);
  Connections fresh;
  Connection& connection = fresh.emplace_back(*this, fd);
  connection.self = fresh.begin();
  {
    const std::lock_guard lock(mutex);
    connections.splice(connections.begin(), fresh);
  }
  arm(connection, EPOLLIN, EPOLL_CTL_ADD);
}

/// The last thing that a thread does with a connection: the next event may come before this returns.
void FastCgi::Impl::arm(Connection& connection, unsigned events, int operation) {
  epoll_event event{events | EPOLLRDHUP | EPOLLONESHOT, {.ptr = &connection}};
  if (connection.state == State::idle && stopping) return close(connection);
  if (epoll_ctl(epoll.get(), operation, connection.fd.get(), &event) != 0) close(connection);
}

void FastCgi::Impl::set_state(Connection& connection, State state) {
  const bool was_idle = connection.state.exchange(state) == State::idle;
  const bool is_idle = state == State::idle;
  if (is_idle && !was_idle) --busy;
  if (is_idle || !was_idle) return;
  ++busy;
  wake_watchdog();
}

/// For no longer than kLinger: then the watchdog shuts it down, which is an event too.
void FastCgi::Impl::linger(Connection& connection, State state, unsigned events) {
  set_state(connection, state);
  connection.deadline = clock.steady() + kLinger;
  arm(connection, events);
}

void FastCgi::Impl::drain(Connection& connection) {
  std::array<char, 16384> waste;
  for (int i = 0; i < kDrainsAtOnce; ++i) {
    const ssize_t got = recv(connection.fd.get(), waste.data(), waste.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return close(connection);
  }
  arm(connection, EPOLLIN);
}

void FastCgi::Impl::close(Connection& connection) {
  set_state(connection, State::idle);
  Connections gone;
  const std::lock_guard lock(mutex);
  gone.splice(gone.begin(), connections, connection.self);
  if (stopping && connections.empty()) changed.notify_all();
}

// ---- one request

void FastCgi::Impl::serve(Connection& connection, unsigned events) {
  if (connection.state == State::closing) return close(connection);
  if (connection.state == State::lingering) return drain(connection);
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && nothing_to_read(connection.fd.get()))
    return close(connection);
  try {
    read_request(connection);
  } catch (const std::exception& error) {
    log::error("request", {{"why", error.what()}, {"next", "connection closed without an answer"}});
    close(connection);
  }
}

void FastCgi::Impl::read_request(Connection& connection) {
  set_state(connection, State::busy);
  connection.started = clock.steady();
  connection.deadline = connection.started + kRequestDeadline;
  Request request;
  if (!connection.codec.read_head(request)) return close(connection);
  Decision decision = decide(connection, request);
  connection.deadline = SteadyTime::max();
  ++progress;
  act_on(connection, std::move(decision));
}

Decision FastCgi::Impl::decide(Connection& connection, Request& request) {
  const auto current = settings();
  if (auto decision = receive_head(*current, request)) {
    // Where no body is announced, reading up to its end is cheap and keeps the connection.
    const auto body = content_length(request, 0).kind;
    if (body == ContentLength::Kind::missing || body == ContentLength::Kind::ok)
      connection.codec.discard_body(current->max_body);
    return *std::move(decision);
  }
  connection.codec.read_body(request, content_length(request, current->max_body).bytes);
  return receive(*current, std::move(request), clock.wall());
}

void FastCgi::Impl::act_on(Connection& connection, Decision decision) {
  if (decision.refused) refused(*decision.refused);
  if (decision.kind == Decision::Kind::store) {
    connection.parked = std::move(decision);
    // From here on the connection is the committer's.
    committer.put(std::move(*connection.parked.incoming), connection.started + kStoreDeadline,
                  [&connection](const PutResult& result) { connection.owner.stored(connection, result); });
    return;
  }
  if (decision.kind == Decision::Kind::probe) {
    NotStored why;
    const bool healthy = committer.healthy(&why.reason);
    if (!healthy) refused(not_stored(decision, why));
    decision.response = answer_probe(healthy);
  }
  finish(connection, decision.response, Thread::reader);
}

void FastCgi::Impl::stored(Connection& connection, const PutResult& result) noexcept {
  try {
    if (const auto* why = std::get_if<NotStored>(&result)) {
      refused(not_stored(connection.parked, *why));
    } else {
      const std::lock_guard lock(accepts_mutex);
      log_accept(accepts, connection.parked, std::get<Put>(result));
    }
    finish(connection, answer_stored(connection.parked, result), Thread::committer);
  } catch (const std::exception& error) {
    log::error("answer", {{"why", error.what()}, {"next", "connection closed, the sender tries again"}});
    linger(connection, State::closing, EPOLLOUT);
  }
}

void FastCgi::Impl::finish(Connection& connection, const Response& response, Thread thread) {
  switch (connection.codec.answer(response)) {
    case FastCgiCodec::Next::keep:
      set_state(connection, State::idle);
      return arm(connection, EPOLLIN);
    case FastCgiCodec::Next::linger:
      shutdown(connection.fd.get(), SHUT_WR);
      return linger(connection, State::lingering, EPOLLIN);
    case FastCgiCodec::Next::close:
      // Closing costs more than answering: the committer leaves it to a reader.
      if (thread == Thread::reader) return close(connection);
      return linger(connection, State::closing, EPOLLOUT);
  }
}

void FastCgi::Impl::refused(const Refused& refused) {
  refusals.refused(refused);
  committer.count_refusal(count_of(refused, clock.wall()));
}

// ---- readers

/// REQUIRES: the mutex is held.
bool FastCgi::Impl::start_reader(bool surplus) noexcept {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kReaderStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  errno = pthread_create(&thread, &attributes, surplus ? reader_main<true> : reader_main<false>, this);
  pthread_attr_destroy(&attributes);
  if (errno != 0) return false;
  ++readers;
  return true;
}

void FastCgi::Impl::run_reader(bool surplus) {
  const int patience = surplus ? static_cast<int>(kSurplusReader.count()) : -1;
  for (;;) {
    epoll_event event{};
    ++waiting;
    const int count = epoll_wait(epoll.get(), &event, 1, patience);
    --waiting;
    if (count < 0) continue;
    if (count == 0 || event.data.ptr == &end) break;
    if (event.data.ptr == &listener) {
      accept_some();
    } else {
      serve(*static_cast<Connection*>(event.data.ptr), event.events);
    }
  }
  const std::lock_guard lock(mutex);
  --readers;
  changed.notify_all();
}

// ---- watchdog

void FastCgi::Impl::wake_watchdog() {
  if (!asleep) return;
  const std::lock_guard lock(mutex);
  asleep = false;
  changed.notify_all();
}

/// Ticks while there is work and a while longer, so that a trickle of requests does not wake it for each.
void FastCgi::Impl::watch() {
  SteadyTime last_work = clock.steady();
  std::unique_lock lock(mutex);
  while (!ended) {
    const SteadyTime now = clock.steady();
    if (busy > 0) last_work = now;
    if (now - last_work < kAwakeAfterWork) {
      changed.wait_for(lock, kTick);
    } else if (sleep(lock)) {
      last_work = clock.steady();
    }
    lock.unlock();
    tick(clock.steady());
    lock.lock();
  }
}

/// Whether work came.
bool FastCgi::Impl::sleep(std::unique_lock<std::mutex>& lock) {
  asleep = true;
  // Who makes it busy looks at `asleep` afterwards, so one of the two sees the other.
  if (busy == 0) changed.wait_for(lock, kLongestSleep, [this] { return ended || !asleep; });
  return !asleep.exchange(false) || busy > 0;
}

void FastCgi::Impl::tick(SteadyTime now) {
  enforce_deadlines(now);
  committer.expire(now);
  add_readers();
  if (paused_until.load() <= now) {
    paused_until = SteadyTime::max();
    --busy;
    if (!stopping) listen_on(EPOLL_CTL_MOD);
  }
  write_accepts();
  refusals.flush(false);
}

void FastCgi::Impl::enforce_deadlines(SteadyTime now) {
  const std::lock_guard lock(mutex);
  for (Connection& connection : connections) {
    if (connection.deadline.load() > now) continue;
    connection.deadline = SteadyTime::max();
    shutdown(connection.fd.get(), SHUT_RDWR);
  }
}

/// Twice as many when none is idle and each took longer than a tick for a request: slow peers hold them.
void FastCgi::Impl::add_readers() {
  const unsigned seen = std::exchange(progress_seen, progress.load());
  const std::lock_guard lock(mutex);
  if (waiting > 0 || busy == 0 || progress_seen - seen >= static_cast<unsigned>(readers)) return;
  for (int more = std::min(readers, kMostReaders - readers); more > 0; --more)
    if (!start_reader(true)) return;
}

void FastCgi::Impl::write_accepts() {
  log::Batch batch;
  {
    const std::lock_guard lock(accepts_mutex);
    std::swap(batch, accepts);
  }
  batch.write();
}

FastCgi::FastCgi(Fd listener, Settings settings, Committer& committer, RefusalLog& refusals, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(listener), std::move(settings), committer, refusals, clock)) {
  impl_->start();
}

FastCgi::~FastCgi() = default;

bool FastCgi::stop(SteadyTime deadline) {
  return impl_->stop(deadline);
}

}  // namespace alertspool
