/// One `[action.NAME]` section of the configuration.

#pragma once

#include "alert/retry.h"
#include "alert/route.h"

#include <memory>
#include <string>
#include <vector>

namespace alertspool {

class Action;

struct ActionConfig {
  enum class Type { syslog, command };

  Route route;         ///< its name, match and follow
  std::string digest;  ///< of its lines in the configuration, in any order
  Type type = Type::syslog;
  RetryPolicy retry;

  // syslog
  int facility = 3;  ///< number of RFC 5424, 3 is daemon
  std::string socket = "/dev/log";

  // command
  std::vector<std::string> run;  ///< argv; the first is an absolute path
  int parallel = 4;
  milliseconds timeout{30'000};
};

/// `log:DIGEST page:DIGEST`, for ProcessInfo.
std::string describe(const std::vector<ActionConfig>& actions);

/// `daemon` -> 3, `local0` -> 16; -1 when there is none of that name.
int facility_number(const std::string& name) noexcept;

std::unique_ptr<Action> make_action(const ActionConfig& config);

}  // namespace alertspool
