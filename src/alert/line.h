/// The syslog line of an alert, and its priority.

#pragma once

#include "alert/alert.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace alertspool {

/// The longest line, in bytes; a longer one is cut at a field boundary and ends with `truncated=1`.
/// RFC 5424 asks receivers for 2,048; rsyslog's default limit is 8 KiB.
inline constexpr std::size_t kMaxLine = 8000;

/// `id=42 alertState=ALERT triggerLevel=WARN alertName="..." ...`: documented fields first in their order, then the
/// others as they came; absent and `null` ones left out; quoted and escaped as logfmt(); `signature` masked as `***`;
/// `test=1` after the id for a drill. A field whose name is not letters, digits, `_`, `-` and `.`, or is one of our own
/// (`id`, `test`, `truncated`, `field`), is written as `field="NAME=VALUE"`.
std::string syslog_line(std::int64_t id, bool test, const Alert& alert);

/// Severity number of RFC 5424: CRITICAL 2, WARN 4, INFO 6; cleared 5; INSUFFICIENT_DATA 4; else 5.
int syslog_severity(const Alert& alert) noexcept;

}  // namespace alertspool
