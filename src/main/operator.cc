#include "main/operator.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace alertspool {

std::string operator_name() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

Life life_of(const ProcessInfo& process, WallTime heard, const std::string& this_host, WallTime now) noexcept {
  if (now - heard <= std::chrono::seconds(30)) return Life::alive;
  if (process.host != this_host || process.pid <= 0) return Life::unknown;
  return kill(process.pid, 0) == 0 || errno == EPERM ? Life::alive : Life::dead;
}

bool deliverer_alive(const Status& status, const std::string& this_host, WallTime now) noexcept {
  for (std::size_t i = 0; i < status.processes.size(); ++i)
    if (status.processes[i].role == "deliverer" &&
        life_of(status.processes[i], status.heard[i], this_host, now) == Life::alive)
      return true;
  return false;
}

std::string age_text(milliseconds age) {
  using namespace std::chrono;
  for (const milliseconds unit : {milliseconds(days(1)), milliseconds(hours(1)), milliseconds(minutes(1))})
    if (age >= unit) return to_text(age - age % unit);
  return std::to_string(std::max<std::int64_t>(0, duration_cast<seconds>(age).count())) + "s";
}

}  // namespace alertspool
