/// What the operator's verbs ask of this machine: who calls them, and whether the processes of a spool live.

#pragma once

#include "base/time.h"
#include "store/types.h"

#include <string>

namespace alertspool {

/// For the log: who ran sudo, else the name of our user, else its number.
std::string operator_name();

enum class Life { alive, unknown, dead };

/// Alive: heard within 30 s, or running on this host. Dead: on this host and not running. On another host a process
/// that was not heard is unknown: receivers announce themselves at their start only.
Life life_of(const ProcessInfo& process, WallTime heard, const std::string& this_host, WallTime now) noexcept;

/// Whether a deliverer is alive.
bool deliverer_alive(const Status& status, const std::string& this_host, WallTime now) noexcept;

/// The largest unit alone: `2m`, `3d`; `0s` for what is younger than a second or lies ahead.
std::string age_text(milliseconds age);

}  // namespace alertspool
