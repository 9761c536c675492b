#include "base/syslog_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace alertspool {

SyslogSocket::SyslogSocket(std::string_view path) noexcept {
  address_.sun_family = AF_UNIX;
  path.copy(address_.sun_path, sizeof address_.sun_path - 1);
}

int SyslogSocket::send(std::string_view datagram) noexcept {
  if (!socket_) socket_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool sent = socket_ &&
                    connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0 &&
                    ::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
  return sent ? 0 : errno;
}

std::string syslog_datagram(int priority, std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  char timestamp[32];  // English, for nobody calls setlocale(3) here
  (void)std::strftime(timestamp, sizeof timestamp, "%b %e %T", localtime_r(&now, &local));
  return '<' + std::to_string(priority) + '>' + timestamp + " alertspool[" + std::to_string(getpid()) +
         "]: " + std::string(text);
}

}  // namespace alertspool
