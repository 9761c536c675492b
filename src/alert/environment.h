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

/// The longest `NAME=value` (the kernel takes 128 KiB with its NUL, execve(2)) and the most of all together, counted as
/// the kernel counts (with NUL and pointer): argv must fit below a quarter of the stack's limit, too.
inline constexpr std::size_t kMaxVariable = std::size_t{128} * 1024 - 1;
inline constexpr std::size_t kMaxEnvironment = std::size_t{1024} * 1024;

/// What every command gets: a fixed PATH, whoever started us; HOME (else `/`) and LANG (else `C.UTF-8`: values are
/// UTF-8) of our own process, `own` (environ(7)); TZ only when our own is set.
std::vector<std::string> base_environment(const char* const* own);

/// `base` as it is, then ALERTSPOOL_*, then CMS_* (documented fields, dimensions, other fields); each name once, the
/// first wins. Names of the sender cannot leave their prefix: CMS_, CMS_DIMENSION_, and ALERTSPOOL_URL_ for the URL.
/// Documented fields and ALERTSPOOL_* other than ALERTSPOOL_URL_* are always set, empty for absent and `null`;
/// ALERTSPOOL_TEST is 1 or 0.
/// Values are cut at NUL and at the limits (on a UTF-8 boundary), and variables without room are left out; both are
/// named, blanks between, in ALERTSPOOL_TRUNCATED, the last variable, which ends in ` ...` when they are too many.
/// `signature` and tokens' secrets are never in it.
std::vector<std::string> environment(const Stored& stored, const Attempt& attempt, const Alert& alert,
                                     std::vector<std::string> base);

/// `alertName` -> `ALERT_NAME`: an underscore before each capital that follows a small letter or a digit. Empty when
/// the name has anything but ASCII letters, digits and `_`.
std::string upper_snake(std::string_view name);

}  // namespace alertspool
