/// Signals as a descriptor, so that they arrive between two turns of a loop and interrupt nothing.

#pragma once

#include "base/fd.h"

namespace alertspool {

class Signals {
public:
  enum class Kind { none, stop, reload };

  /// From now on SIGTERM, SIGINT and SIGUSR1 (a FastCGI process manager's "end in order") mean stop, SIGHUP reload;
  /// SIGCHLD only wakes, SIGPIPE is ignored. REQUIRES: this process has one thread. Throws std::system_error.
  Signals();

  /// Readable when next() has something to say.
  int fd() const noexcept { return fd_.get(); }
  Kind next() noexcept;

private:
  Fd fd_;
};

}  // namespace alertspool
