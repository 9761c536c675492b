/// What the two processes share: signals and a configuration that is read again; and the deliverer that a receiver
/// starts.

#pragma once

#include "base/fd.h"
#include "main/verb.h"

#include <sys/types.h>

namespace alertspool {

using Signal = Deliverer::Events::Signal;

/// Signals as a descriptor, so that they arrive between two turns of a loop and interrupt nothing. Readable when
/// next_signal() has something to say: from now on SIGTERM, SIGINT and SIGUSR1 (a FastCGI process manager's "end in
/// order") mean stop, SIGHUP reload; SIGCHLD only wakes, SIGPIPE is ignored. REQUIRES: this process has one thread.
/// Throws std::system_error.
Fd take_signals();

Signal next_signal(const Fd& signals) noexcept;

/// config_of() for a process that has one already: nullopt when the file is bad, `note` and the log say why.
std::optional<Config> reload_config(const Arguments& arguments, Secrets secrets, std::string& note);

/// The deliverer that a receiver starts, starts again when it dies, and that ends with the receiver: it reads a pipe
/// whose other end the receiver holds, so even kill -9 of the receiver leaves no deliverer behind.
///
/// Entirely passive: call proceed() after SIGCHLD and when it asked for it.
class DelivererProcess {
public:
  /// `path` is executed; null: the first word of the command.
  explicit DelivererProcess(std::vector<std::string> command, const char* path = nullptr)
      : command_(std::move(command)), path_(path) {}

  /// Starts it when it does not run and its pause is over (1 s after it died, doubling to 30 s; from the beginning once
  /// it has lived for a minute). Returns when it wants to be called again at the latest.
  SteadyTime proceed(SteadyTime now);
  /// Passes a signal on when it runs.
  void signal(int number) const noexcept;
  /// Tells it that the receiver ends.
  void stop() noexcept { lifetime_.reset(); }
  /// REQUIRES: stop(). Waits for its end, and kills it at the deadline.
  void wait(SteadyTime deadline) noexcept;

private:
  void start(SteadyTime now);
  std::string pause(SteadyTime now);

  std::vector<std::string> command_;
  const char* path_;
  Fd lifetime_;
  pid_t pid_ = 0;
  SteadyTime started_{};
  SteadyTime next_start_{};
  std::chrono::seconds pause_{1};
};

}  // namespace alertspool
