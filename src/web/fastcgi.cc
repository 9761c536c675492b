#include "web/fastcgi.h"

#include "base/log.h"
#include "store/committer.h"
#include "web/fastcgi_connections.h"
#include "web/refusal_log.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace alertspool {

namespace {

constexpr milliseconds kTick{20};
constexpr milliseconds kIdleTick{100};
constexpr milliseconds kForEver{-1};
constexpr milliseconds kSurplusPatience{1000};  // a reader too many ends after so long without work
constexpr std::size_t kReaderStack = 256UL << 10;
constexpr std::size_t kUnannounced = 64UL << 10;  // the most of a body that nobody wants

}  // namespace

struct FastCgi::Impl {
  Impl(Fd listener, Listener whose, Settings s, Committer& c, RefusalLog& r, const Clock& k)
      : settings(std::move(s)), committer(c), refusals(r), clock(k), connections(std::move(listener), whose, clock) {}
  ~Impl();
  void start();
  bool stop(SteadyTime until);

  // ---- one request
  using Close = void (FastCgiConnections::*)(FastCgiConnection&);
  void serve(FastCgiConnection& connection);
  Decision decide(FastCgiConnection& connection, Request& request);
  void act_on(FastCgiConnection& connection, Decision decision);
  void answer(FastCgiConnection& connection, const Response& response, Close close);
  void stored(FastCgiConnection& connection, const PutResult& result) noexcept;
  void refused(const Refused& refused);

  // ---- readers
  template <bool surplus>
  static void* reader(void* impl);
  void start_reader(bool surplus);
  void add_readers();

  // ---- watchdog
  void watch();
  void tick();
  void write_accepts();

  const Settings settings;
  Committer& committer;
  RefusalLog& refusals;
  const Clock& clock;
  FastCgiConnections connections;

  std::mutex mutex;  ///< guards these three
  std::condition_variable changed;
  int readers = 0;
  bool ended = false;

  std::mutex accepts_mutex;
  log::Batch accepts;

  std::atomic<unsigned> progress{0};  ///< requests read
  unsigned progress_seen = 0;
  std::thread watchdog;
};

// ---- one request

void FastCgi::Impl::serve(FastCgiConnection& connection) {
  try {
    Request request;
    if (!connection.codec.read_head(request)) return connections.close(connection);
    Decision decision = decide(connection, request);
    connections.was_read(connection);
    ++progress;
    act_on(connection, std::move(decision));
  } catch (const std::exception& error) {
    log::error("request", {{"why", error.what()}, {"next", "connection closed, the sender tries again"}});
    connections.close(connection);
  }
}

Decision FastCgi::Impl::decide(FastCgiConnection& connection, Request& request) {
  const auto current = settings();
  Decision decision = receive_head(*current, request);
  if (decision.kind != Decision::Kind::read) {
    // Where the body is here, or none is announced, reading up to its end is cheap and keeps the connection.
    if (connection.codec.all_here() || request.content_length.find_first_not_of('0') == std::string::npos)
      connection.codec.read_body(request, kUnannounced);
    return decision;
  }
  connection.codec.read_body(request, decision.length);
  return receive(*current, std::move(decision), std::move(request), clock.wall());
}

void FastCgi::Impl::act_on(FastCgiConnection& connection, Decision decision) {
  if (decision.refused) refused(*decision.refused);
  if (decision.kind == Decision::Kind::store) {
    connection.decision = std::move(decision);
    // From here on the connection is the committer's.
    return committer.put(std::move(*connection.decision.incoming), connection.started + kStoreDeadline,
                         [this, &connection](const PutResult& result) { stored(connection, result); });
  }
  if (decision.kind == Decision::Kind::probe) {
    NotStored why;
    const bool healthy = committer.healthy(&why.reason);
    if (!healthy) refused(not_stored(decision, why));
    decision.response = answer_probe(healthy);
  }
  answer(connection, decision.response, &FastCgiConnections::close);
}

/// Writes the answer and gives the connection back.
void FastCgi::Impl::answer(FastCgiConnection& connection, const Response& response, Close close) {
  switch (connection.codec.answer(response)) {
    case FastCgiCodec::Next::keep:
      return connections.keep(connection);
    case FastCgiCodec::Next::close:
      return (connections.*close)(connection);
    case FastCgiCodec::Next::linger:
      return connections.linger(connection);
  }
}

void FastCgi::Impl::stored(FastCgiConnection& connection, const PutResult& result) noexcept {
  try {
    if (const auto* why = std::get_if<NotStored>(&result)) {
      refused(not_stored(connection.decision, *why));
    } else {
      const std::lock_guard lock(accepts_mutex);
      log_accept(accepts, connection.decision, std::get<Put>(result));
    }
    answer(connection, answer_stored(connection.decision, result), &FastCgiConnections::close_later);
  } catch (const std::exception& error) {
    log::error("answer", {{"why", error.what()}, {"next", "connection closed, the sender tries again"}});
    connections.close_later(connection);
  }
}

void FastCgi::Impl::refused(const Refused& refused) {
  refusals.refused(refused);
  committer.count_refusal(count_of(refused, clock.wall()));
}

// ---- readers: threads that wait for a request, read it and go on to the next

template <bool surplus>
void* FastCgi::Impl::reader(void* impl) {
  Impl& self = *static_cast<Impl*>(impl);
  while (FastCgiConnection* connection = self.connections.wait(surplus ? kSurplusPatience : kForEver))
    self.serve(*connection);
  const std::lock_guard lock(self.mutex);
  --self.readers;
  self.changed.notify_all();
  return nullptr;
}

/// REQUIRES: the mutex is held. Throws std::system_error.
void FastCgi::Impl::start_reader(bool surplus) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kReaderStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = pthread_create(&thread, &attributes, surplus ? reader<true> : reader<false>, this);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start a thread");
  ++readers;
}

/// Twice as many when none waits and they needed more than a tick for a request each: slow peers hold them.
void FastCgi::Impl::add_readers() {
  const unsigned before = std::exchange(progress_seen, progress.load());
  const std::lock_guard lock(mutex);
  if (connections.waiting() > 0 || progress_seen - before >= static_cast<unsigned>(readers)) return;
  try {
    for (int more = std::min(readers, kMostReaders - readers); more > 0; --more) start_reader(true);
  } catch (const std::system_error&) {
    // No more to be had: those that run end by their deadlines, and the next tick tries again.
  }
}

// ---- watchdog

void FastCgi::Impl::watch() {
  std::unique_lock lock(mutex);
  while (!ended) {
    changed.wait_for(lock, connections.busy() ? kTick : kIdleTick, [this] { return ended; });
    lock.unlock();
    tick();  // once more at the end
    lock.lock();
  }
}

void FastCgi::Impl::tick() {
  const SteadyTime now = clock.steady();
  connections.tick(now);
  committer.expire(now);
  if (connections.busy()) add_readers();
  write_accepts();
  refusals.flush(false);
}

/// Accepts are written here, many at once: not by the committer, who has better to do.
void FastCgi::Impl::write_accepts() {
  log::Batch batch;
  {
    const std::lock_guard lock(accepts_mutex);
    std::swap(batch, accepts);
  }
  batch.write();
}

// ---- start and stop

void FastCgi::Impl::start() {
  const std::lock_guard lock(mutex);
  watchdog = std::thread([this] { watch(); });
  for (int i = 0; i < kWarmReaders; ++i) start_reader(false);
}

bool FastCgi::Impl::stop(SteadyTime until) {
  std::unique_lock lock(mutex);
  const bool served = readers > 0;  // not when the start failed: nobody would answer those who wait
  lock.unlock();
  if (served && !connections.stop(until)) return false;
  connections.end();
  lock.lock();
  changed.wait(lock, [this] { return readers == 0; });
  ended = true;
  changed.notify_all();
  lock.unlock();
  if (watchdog.joinable()) watchdog.join();
  return true;
}

FastCgi::Impl::~Impl() {
  while (!stop(std::chrono::steady_clock::now() + std::chrono::seconds(1))) {
  }
}

FastCgi::FastCgi(Fd listener, Listener whose, Settings settings, Committer& committer, RefusalLog& refusals,
                 const Clock& clock) {
  FastCgiCodec::prepare();
  impl_ = std::make_unique<Impl>(std::move(listener), whose, std::move(settings), committer, refusals, clock);
  impl_->start();
}

FastCgi::~FastCgi() = default;

bool FastCgi::stop(SteadyTime deadline) {
  return impl_->stop(deadline);
}

}  // namespace alertspool
