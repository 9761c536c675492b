/// Alert: what a callback says, with everything that is derived from it: alarm, severity, digest, time.

#pragma once

#include "alert/fields.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

/// Where a callback came from and how, apart from its body.
struct Origin {
  std::string remote_addr;  ///< canonical text of the address
  std::string token;        ///< the token's name, never its secret; empty without one
  Fields url;               ///< parameters of the callback URL without the token
};

struct Alert {
  Origin origin;
  Fields fields;
  Fields dimensions;
  std::string severity;                 ///< triggerLevel, or preTriggerLevel when the alert clears; events: level
  std::string alarm;                    ///< 16 hex digits: what happens to one object over time
  std::string digest;                   ///< 64 hex digits: equal for the sender's repeats of one callback
  std::optional<std::int64_t> time_ms;  ///< the sender's timestamp in ms since 1970 UTC
  std::vector<std::string> flags;       ///< `invalid-utf8`, `repeated-field`
};

/// Names of the documented fields, in the order in which the log line shows them. `signature` is not among them.
std::span<const std::string_view> documented_fields() noexcept;

/// True for alertState=OK: the only state that ends an alarm. INSUFFICIENT_DATA and unknown states do not.
bool clears(const Alert& alert) noexcept;
/// True for alertState=ALERT.
bool fires(const Alert& alert) noexcept;

/// Derives everything. Never fails: unknown and missing fields are normal.
///
/// Digest: SHA-256 over all decoded fields as text, sorted by name, without `lastTime` (localized prose that changes
/// between repeats) and `signature`, plus the URL's parameters likewise.
/// Alarm: userId + ruleId + dimensions with sorted keys; without ruleId userId + alertName + rawMetricName or
/// metricName + dimensions; for events userId + product + name + resourceId; with none of these the digest: a lane of
/// its own. Absent and `null` are the same.
/// Time: `timestamp` in seconds or milliseconds (below 10^11 it is seconds), or an event's `eventTime`
/// (`20210224T011113.709+0800`); nothing outside the years 1970 to 9999.
Alert make_alert(Origin origin, Fields fields, bool repaired_utf8);

/// SHA-256 in lower-case hex.
std::string sha256_hex(std::string_view bytes);
/// Takes the same time wherever two secrets differ, and however long they are apart from hashing them.
bool equal_secrets(std::string_view a, std::string_view b);

/// The value that `FIELD` names in `match`, `list --match` and logs: a field of the sender, `severity`,
/// `dimension.NAME`, `url.NAME`, `remoteAddr`, `token`. Empty when absent or `null`.
std::string_view lookup(const Alert& alert, std::string_view field) noexcept;

}  // namespace alertspool
