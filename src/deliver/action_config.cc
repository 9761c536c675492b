#include "deliver/action_config.h"

#include "deliver/command_action.h"
#include "deliver/syslog_action.h"

#include <algorithm>
#include <array>

namespace alertspool {
namespace {

/// RFC 5424 section 6.2.1, with the names of syslog.conf(5); 12 to 15 have no agreed name.
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern", "user", "mail", "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
    {},     {},     {},     {},       "local0", "local1", "local2", "local3", "local4", "local5", "local6",   "local7"};

}  // namespace

std::string describe(const std::vector<ActionConfig>& actions) {
  std::string text;
  for (const ActionConfig& action : actions)
    text += (text.empty() ? "" : " ") + action.route.action + ':' + action.digest;
  return text;
}

int facility_number(const std::string& name) noexcept {
  const auto* const found = std::find(kFacilities.begin(), kFacilities.end(), name);
  return name.empty() || found == kFacilities.end() ? -1 : static_cast<int>(found - kFacilities.begin());
}

std::unique_ptr<Action> make_action(const ActionConfig& config) {
  if (config.type == ActionConfig::Type::command) return std::make_unique<CommandAction>(config);
  return std::make_unique<SyslogAction>(config);
}

}  // namespace alertspool
