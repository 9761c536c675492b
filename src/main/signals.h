/// Signals as a descriptor, so that they arrive between two turns of a loop and interrupt nothing.

#pragma once

#include "base/fd.h"

namespace alertspool {

enum class Signal { none, stop, reload };

/// Readable when next_signal() has something to say: from now on SIGTERM, SIGINT and SIGUSR1 (a FastCGI process
/// manager's "end in order") mean stop, SIGHUP reload; SIGCHLD only wakes, SIGPIPE is ignored. REQUIRES: this process
/// has one thread. Throws std::system_error.
Fd take_signals();

Signal next_signal(const Fd& signals) noexcept;

}  // namespace alertspool
