/// Time: wall time to the millisecond in UTC, and how people read and write it.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace alertspool {

using std::chrono::milliseconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

/// RFC 3339 in UTC with milliseconds: `2026-11-23T16:06:56.123Z`.
std::string to_rfc3339(WallTime time);
/// Local time with its zone, for people: `2026-11-23 16:06:56 +0800`.
std::string to_local(WallTime time);
/// `2026-11-23`, `2026-11-23 16:06[:56]` (local), RFC 3339 with `Z` or an offset, and `20261123T160656.123+0800`;
/// nullopt otherwise. A leap second is the next minute.
std::optional<WallTime> parse_time(std::string_view text);

/// `30s`, `10m`, `3d`, `500ms`, `2h`; a unit is required. nullopt otherwise, and on overflow.
std::optional<milliseconds> parse_duration(std::string_view text);
/// The largest unit that divides it: 90 s is `90s`, 120 s is `2m`.
std::string to_text(milliseconds duration);

/// The two clocks. Only main/ makes the real one; tests hold a hand of their own.
class Clock {
public:
  virtual ~Clock() = default;
  virtual WallTime wall() const noexcept = 0;
  virtual SteadyTime steady() const noexcept = 0;
};

class SystemClock final : public Clock {
public:
  WallTime wall() const noexcept override { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }
  SteadyTime steady() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace alertspool
