/// DelivererProcess: the deliverer that a receiver starts, starts again when it dies, and that ends with the receiver:
/// it reads a pipe whose other end the receiver holds, so even kill -9 of the receiver leaves no deliverer behind.
///
/// Entirely passive: call proceed() after SIGCHLD and when it asked for it.

#pragma once

#include "base/fd.h"
#include "base/time.h"
#include "main/verb.h"

#include <sys/types.h>

#include <string>
#include <vector>

namespace alertspool {

/// Not the path we were started by: after an upgrade that would be another version than this one.
inline constexpr const char* kOwnExecutable = "/proc/self/exe";

/// `alertspool deliver` with the configuration that these arguments name, for kOwnExecutable.
std::vector<std::string> deliver_command(const Arguments& arguments, const char* option);

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
  void log_end(int status, SteadyTime now);

  std::vector<std::string> command_;
  const char* path_;
  Fd lifetime_;
  pid_t pid_ = 0;
  SteadyTime started_{};
  SteadyTime next_start_{};
  std::chrono::seconds pause_{1};
};

}  // namespace alertspool
