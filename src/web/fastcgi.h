/// FastCGI: libfcgi speaks the protocol, the descriptors are ours.
///
/// libfcgi's own accept loop has no deadlines, leaks descriptors into children, pins a thread to each kept connection
/// and ends on EMFILE. So: one listening socket, epoll, accept4; when a connection has something to read, a thread
/// hands its descriptor to an FCGX_Request and reads one request with FCGX_Accept_r. A request that must be stored
/// first is parked: its thread goes on, and the committer's thread writes the answer.

#pragma once

#include "base/fd.h"
#include "base/time.h"
#include "web/listen.h"
#include "web/receive.h"

#include <functional>
#include <memory>

namespace alertspool {

class Committer;
class RefusalLog;

/// Stored, from its first byte: then 503. The sender gives up after 5 s.
inline constexpr milliseconds kStoreDeadline{4000};
inline constexpr int kWarmReaders = 3;
inline constexpr int kMostReaders = 256;

class FastCgi {
public:
  /// `settings` is asked once per request and may return another object after a reload.
  using Settings = std::function<std::shared_ptr<const ReceiverSettings>()>;

  /// Makes `listener` non-blocking and starts the threads. Throws std::system_error.
  /// REQUIRES: SIGTERM, SIGINT, SIGHUP, SIGPIPE and SIGUSR1 are blocked or ignored already.
  FastCgi(Fd listener, Listener whose, Settings settings, Committer& committer, RefusalLog& refusals,
          const Clock& clock);
  ~FastCgi();

  /// Accepts nothing more, lets requests that are being read or stored end, answers them, closes idle connections at
  /// once. Returns when none is left, or at the deadline (false).
  bool stop(SteadyTime deadline);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alertspool
