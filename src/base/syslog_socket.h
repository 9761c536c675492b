/// SyslogSocket: datagrams to a syslog daemon, over a socket of our own: syslog(3) cannot say that it failed, and it
/// may block. Not thread-safe.

#pragma once

#include "base/fd.h"

#include <sys/un.h>

#include <string>
#include <string_view>

namespace alertspool {

class SyslogSocket {
public:
  /// REQUIRES: `path` is shorter than sun_path.
  explicit SyslogSocket(std::string_view path) noexcept;

  /// 0 or errno; EAGAIN: it is full, and fd() becomes writable when it is no more. Connects each time: another daemon
  /// may have come to that path.
  int send(std::string_view datagram) noexcept;
  int fd() const noexcept { return socket_.get(); }

private:
  sockaddr_un address_{};
  Fd socket_;
};

/// `<27>Nov 23 16:06:56 alertspool[123]: text` (RFC 3164, section 4.1). The priority is facility times 8 plus severity.
std::string syslog_datagram(int priority, std::string_view text);

}  // namespace alertspool
