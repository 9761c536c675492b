/// The environment of a command: alertspool-command(7) is its contract.

#pragma once

#include "alert/alert.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

/// What the spool knows of an alert, beside what the sender said.
struct Stored {
  std::int64_t id = 0;
  std::string received;  ///< RFC 3339, UTC
  bool test = false;
};

/// One try of one action.
struct Attempt {
  std::string action;
  int number = 1;
};

/// The longest `NAME=value` (the kernel's limit is 128 KiB, MAX_ARG_STRLEN in execve(2)) and the most of all together,
/// which leaves room for argv below the kernel's limit of a quarter of the stack's (8 MiB by default).
inline constexpr std::size_t kMaxVariable = 128 * 1024 - 1;
inline constexpr std::size_t kMaxEnvironment = 1024 * 1024;

/// PATH, HOME, LANG, TZ, then CMS_*, then ALERTSPOOL_*; each name once. Names of the sender cannot leave their prefix.
/// Values are cut at NUL and at the limits (on a UTF-8 boundary) and then named in ALERTSPOOL_TRUNCATED.
/// `signature` and tokens' secrets are never in it.
std::vector<std::string> environment(const Stored& stored, const Attempt& attempt, const Alert& alert);

/// `alertName` -> `ALERT_NAME`, `curValue` -> `CUR_VALUE`, `rawMetricName` -> `RAW_METRIC_NAME`; empty when the name
/// does not survive `[A-Z0-9_]`.
std::string upper_snake(std::string_view name);

}  // namespace alertspool
