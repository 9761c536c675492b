/// Wake: "there is something to do", from a process that stored an alert to the deliverer on the same machine. A hint:
/// it may be lost (the deliverer looks once a second anyway) and several may arrive as one. A fifo beside the spool.

#pragma once

#include "base/fd.h"

#include <string>

namespace alertspool {

/// The deliverer's side.
class WakeReceiver {
public:
  /// Makes the fifo when absent (mode 0660) and opens it. Throws std::system_error; a path that is no fifo is an error.
  explicit WakeReceiver(const std::string& path);
  /// Readable when somebody called.
  int fd() const noexcept { return fifo_.get(); }
  /// Takes all calls that have arrived.
  void drain() noexcept;

private:
  Fd fifo_;
};

/// The side of those who store. Costs one write; opens the fifo again when the deliverer came later.
class WakeSender {
public:
  explicit WakeSender(std::string path) : path_(std::move(path)) {}
  void call() noexcept;

private:
  std::string path_;
  Fd fifo_;
};

}  // namespace alertspool
