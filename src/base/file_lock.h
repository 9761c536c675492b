/// FileLock: exclusive locks on bytes of one file (open file description locks, fcntl(2)), fair between processes and
/// with a deadline. The kernel releases them when the holder dies.
///
/// Byte `writer` guards everything that writes the spool. A plain lock is not fair: who releases and takes at once
/// starves the others. So each writer takes byte `next` first, then `writer`, then releases `next`.
/// Byte `deliverer` is held for life by the one active deliverer.

#pragma once

#include "base/fd.h"
#include "base/time.h"

#include <string>

namespace alertspool {

class FileLock {
public:
  enum class Byte : long { next = 0, writer = 1, deliverer = 2 };

  /// Opens `path`, made with `mode` (whatever the umask) when absent. Throws std::system_error.
  explicit FileLock(const std::string& path, unsigned mode = 0660);

  /// False when the deadline passed first. Throws std::system_error. While it waits it uses the signal SIGRTMIN + 3, in
  /// this thread only.
  bool lock_writer(SteadyTime deadline);
  void unlock_writer() noexcept { unlock(Byte::writer); }

  /// False when another process holds it. Throws std::system_error.
  bool try_lock_deliverer() { return try_lock(Byte::deliverer); }

private:
  bool try_lock(Byte byte);
  bool wait_for(Byte byte, SteadyTime deadline);
  void unlock(Byte byte) noexcept;

  std::string path_;
  Fd file_;
};

}  // namespace alertspool
