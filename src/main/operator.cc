#include "main/operator.h"

#include "base/text.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iostream>

namespace alertspool {

OpenSpool::OpenSpool(const Arguments& arguments, StoreUse use)
    : config(config_of(arguments, Secrets::leave)), store(config.store, use, clock) {}

std::optional<Record> OpenSpool::record(std::int64_t id) {
  std::optional<Record> record = store.show(id);
  if (!record) std::cerr << "alertspool: there is no alert " << id << "; nothing was done\n";
  return record;
}

std::string operator_name() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

milliseconds duration_of(const Arguments& arguments, const char* option, milliseconds fallback) {
  if (!arguments.has(option)) return fallback;
  if (const auto duration = parse_duration(arguments.value(option))) return *duration;
  throw UsageError("--" + std::string(option) + " " + arguments.value(option) + ": no duration; write 30s, 5m or 7d");
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

std::string aligned(const Fields& rows) {
  std::size_t longest = 0;
  for (const Field& row : rows) longest = std::max(longest, escape_controls(row.first).size());
  std::string text;
  for (const auto& [name, value] : rows) {
    std::string shown = escape_controls(name);
    shown.resize(longest, ' ');
    text += "  " + shown + "  " + escape_controls(value) + '\n';
  }
  return text;
}

void print_alert(const Alert& alert, Fields facts) {
  facts.emplace_back("sent", alert.time_ms ? to_local(WallTime(milliseconds(*alert.time_ms))) : "");
  facts.emplace_back("severity", alert.severity);
  facts.emplace_back("alarm", alert.alarm);
  facts.emplace_back("change", fires(alert) ? "fires" : clears(alert) ? "clears" : "");
  facts.emplace_back("digest", alert.digest);
  for (const std::string& flag : alert.flags) facts.emplace_back("flag", flag);
  std::erase_if(facts, [](const Field& fact) { return fact.second.empty(); });
  Fields pairs = alert.pairs;
  for (auto& [name, value] : pairs)
    if (name == "signature") value = "***";
  std::cout << aligned(facts) << "\nfields\n" << aligned(pairs);
}

}  // namespace alertspool
