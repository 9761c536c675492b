/// FastCgiConnections: the listening socket of the FastCGI loop and all that came from it, in one epoll.
///
/// A connection is armed for one event (EPOLLONESHOT). Then it belongs to the thread that got it from wait(), or to
/// whom that thread hands it, until it is given back by keep(), linger(), close() or close_later(): nobody may touch it
/// after that, for the next event can come before they return.

#pragma once

#include "base/fd.h"
#include "base/time.h"
#include "web/fastcgi_codec.h"
#include "web/listen.h"
#include "web/receive.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <string>

namespace alertspool {

class FastCgiConnection {
public:
  /// `accepted` stays as it is when this throws.
  explicit FastCgiConnection(Fd& accepted) : codec(accepted.get()), fd_(std::move(accepted)) {}

  FastCgiCodec codec;
  SteadyTime started;  ///< its request's first byte
  Decision decision;   ///< of the request that is stored now

private:
  friend class FastCgiConnections;
  enum class State { idle, busy, lingering, closing };

  Fd fd_;
  std::list<FastCgiConnection>::iterator self_;
  std::atomic<State> state_{State::idle};
  std::atomic<SteadyTime> deadline_{SteadyTime::max()};
};

class FastCgiConnections {
public:
  /// Makes `listener` non-blocking. Throws std::system_error.
  FastCgiConnections(Fd listener, Listener whose, const Clock& clock);

  /// Waits for a request; meanwhile accepts, drains and closes what needs no more than that. nullptr: nothing came
  /// within `patience` (negative: wait for ever), or end() was called. Any number of threads may wait.
  FastCgiConnection* wait(milliseconds patience);

  /// The request was read: its deadline is over.
  void was_read(FastCgiConnection& connection) noexcept { connection.deadline_ = SteadyTime::max(); }

  void keep(FastCgiConnection& connection);
  /// Half-closes it and reads until the peer ends it: closing what was not read would take the answer from the peer.
  void linger(FastCgiConnection& connection);
  void close(FastCgiConnection& connection);
  /// A waiting thread closes it: closing costs more than answering, and the committer is one for all.
  void close_later(FastCgiConnection& connection);

  // ---- for the watchdog
  int waiting() const noexcept { return waiting_; }
  bool busy() const noexcept { return busy_ > 0; }
  /// Shuts down what is past its deadline; accepts again after a pause.
  void tick(SteadyTime now);

  /// Accepts nothing more and closes what is idle; false when others were still open at the deadline. What waits in the
  /// backlog of a socket of ours would end with it, and is in flight too; else it waits for who comes after us.
  bool stop(SteadyTime until);
  /// All who wait, and will wait, get nullptr.
  void end() noexcept;

private:
  using List = std::list<FastCgiConnection>;
  using State = FastCgiConnection::State;

  bool arm_listener(int operation) noexcept;
  void accept_some();
  bool accept_one();
  void end_accepting();
  void open(Fd& accepted);
  void pause_accepting(const std::string& why);
  bool has_request(FastCgiConnection& connection, unsigned events);
  void drain(FastCgiConnection& connection);
  bool arm(FastCgiConnection& connection, State state, unsigned events, int operation);
  void set_state(FastCgiConnection& connection, State state);

  Fd listener_;
  const Listener whose_;
  const Clock& clock_;
  Fd epoll_;
  Fd end_;  ///< readable for ever after end()

  std::mutex mutex_;
  List list_;  ///< guarded by the mutex; a connection leaves it before its descriptor is closed
  std::condition_variable empty_;

  std::atomic<bool> stopping_{false};
  std::atomic<int> busy_{0};  ///< connections that are not idle, and the listener while it pauses
  std::atomic<int> waiting_{0};

  std::mutex accept_mutex_;  ///< whoever accepts holds it; guards these two
  Fd accepted_;              ///< but not open yet, for want of descriptors
  std::optional<SteadyTime> pause_logged_;
  std::atomic<SteadyTime> paused_until_{SteadyTime::max()};
};

}  // namespace alertspool
