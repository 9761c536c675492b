/// SyslogAction: one line per alert to the local syslog daemon.

#pragma once

#include "base/syslog_socket.h"
#include "deliver/action.h"
#include "deliver/action_config.h"

#include <optional>

namespace alertspool {

/// A missing, refusing or stopped daemon means "later", and no more attempts for a second. A full socket (the daemon is
/// slower than we are, or stopped) is waited for, up to a second, before that.
class SyslogAction final : public Action {
public:
  explicit SyslogAction(const ActionConfig& config);

  int room() const noexcept override;
  void start(Task task, SteadyTime now) override;
  void poll_for(std::vector<pollfd>& fds, SteadyTime& until) const override;
  void proceed(SteadyTime now) override;
  void terminate(SteadyTime now) override;

private:
  /// A line that the socket has no room for.
  struct Blocked {
    std::int64_t alert_id;
    std::string datagram;
    SteadyTime since;
    SteadyTime until;
  };

  void end(std::int64_t alert_id, int error, milliseconds duration);

  int facility_;
  std::string path_;
  SyslogSocket socket_;
  std::optional<Blocked> blocked_;
  SteadyTime now_ = SteadyTime::min();
  SteadyTime paused_until_ = SteadyTime::min();
};

}  // namespace alertspool
