/// Log: the program's own log, one logfmt line per event, to standard error (the service manager's journal) or to
/// syslog when there is no standard error. Never holds a secret: callers pass names of tokens, not tokens.
/// Thread-safe. Lines of several processes do not mix. A log that nobody reads holds nobody up for more than 100 ms:
/// lines are left out, and how many is told when it is read again.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace alertspool::log {

enum class Level { debug, info, notice, warning, error };

struct Pair {
  std::string_view name;
  std::string value;
};

/// One event: `level=info event=accept id=42 addr=47.74.206.1`.
using Pairs = std::initializer_list<Pair>;

/// Where lines go. `syslog` is /dev/log, facility daemon. Call once, before threads start.
enum class Target { standard_error, syslog };
void open(Target target) noexcept;

void write(Level level, std::string_view event, Pairs pairs) noexcept;

inline constexpr auto info = [](std::string_view event, Pairs pairs) { write(Level::info, event, pairs); };
inline constexpr auto notice = [](std::string_view event, Pairs pairs) { write(Level::notice, event, pairs); };
inline constexpr auto warning = [](std::string_view event, Pairs pairs) { write(Level::warning, event, pairs); };
inline constexpr auto error = [](std::string_view event, Pairs pairs) { write(Level::error, event, pairs); };

/// Lines that are written together: a commit of 64 alerts costs one write, not 64. To syslog each goes at once.
class Batch {
public:
  void add(Level level, std::string_view event, Pairs pairs);
  void write() noexcept;

private:
  std::string lines_;
};

}  // namespace alertspool::log
