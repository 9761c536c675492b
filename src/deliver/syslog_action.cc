#include "deliver/syslog_action.h"

#include "alert/line.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace alertspool {
namespace {

constexpr std::chrono::seconds kPause{1};
constexpr std::chrono::seconds kPatience{1};  // with a full socket
constexpr std::size_t kRoom = 1024;

std::string datagram_of(int facility, const AlertView& view) {
  return syslog_datagram(facility * 8 + syslog_severity(view.alert),
                         syslog_line(view.stored.id, view.stored.test, view.alert));
}

}  // namespace

SyslogAction::SyslogAction(const ActionConfig& config)
    : facility_(config.facility), path_(config.socket), socket_(config.socket) {}

int SyslogAction::room() const noexcept {
  if (blocked_ || now_ < paused_until_) return 0;
  return static_cast<int>(kRoom - std::min(kRoom, ended_.size()));
}

void SyslogAction::start(Task task, SteadyTime now) {
  now_ = now;
  std::string datagram = datagram_of(facility_, task.view);
  const int error = socket_.send(datagram);
  if (error == EAGAIN)
    blocked_ = Blocked{task.alert_id, std::move(datagram), now, now + kPatience};
  else
    end(task.alert_id, error, milliseconds::zero());
}

void SyslogAction::poll_for(std::vector<pollfd>& fds, SteadyTime& until) const {
  if (now_ < paused_until_) until = std::min(until, paused_until_);
  if (!blocked_) return;
  until = std::min(until, blocked_->until);
  fds.push_back({socket_.fd(), POLLOUT, 0});
}

void SyslogAction::proceed(SteadyTime now) {
  now_ = now;
  if (!blocked_) return;
  const int error = socket_.send(blocked_->datagram);
  if (error == EAGAIN && now < blocked_->until) return;
  end(blocked_->alert_id, error, std::chrono::duration_cast<milliseconds>(now - blocked_->since));
  blocked_.reset();
}

void SyslogAction::terminate(SteadyTime now) {
  if (blocked_) blocked_->until = now;
}

void SyslogAction::end(std::int64_t alert_id, int error, milliseconds duration) {
  if (error == 0) return ended_.push_back({alert_id, {Outcome::Kind::delivered, "written", {}, duration}});
  if (error != EMSGSIZE) paused_until_ = now_ + kPause;  // that one is this alert's own trouble
  const char* reason = error == EAGAIN ? "it is full, nobody reads" : strerrordesc_np(error);
  const std::string text = "cannot write to " + path_ + ": " + (reason ? reason : "unknown error");
  ended_.push_back({alert_id, {Outcome::Kind::later, text, {}, duration}});
}

}  // namespace alertspool
