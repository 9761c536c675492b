#include "base/time.h"

#include "base/text.h"

#include <algorithm>
#include <ctime>
#include <limits>

namespace alertspool {
namespace {

using std::chrono::seconds;

struct Unit {
  std::string_view name;
  std::int64_t in_ms;
};

/// The largest first.
constexpr Unit kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

constexpr std::string_view kDigits = "0123456789";

/// Reads a text from its front; `ok` is false once something was not as expected.
struct Reader {
  std::string_view rest;
  bool ok = true;

  /// Exactly `count` digits, at most `limit`.
  int number(std::size_t count, std::uint64_t limit) {
    const auto value = rest.size() < count ? std::nullopt : parse_number(rest.substr(0, count));
    ok = ok && value && *value <= limit;
    rest.remove_prefix(std::min(count, rest.size()));
    return ok ? static_cast<int>(*value) : 0;
  }
  /// The next character when it is one of `set`, else 0.
  char take(std::string_view set) {
    if (rest.empty() || set.find(rest.front()) == set.npos) return 0;
    const char taken = rest.front();
    rest.remove_prefix(1);
    return taken;
  }
  void expect(std::string_view set) { ok = take(set) && ok; }
};

std::chrono::sys_days read_date(Reader& in) {
  const std::chrono::year year(in.number(4, 9999));
  in.expect("-");
  const std::chrono::month month(static_cast<unsigned>(in.number(2, 12)));
  in.expect("-");
  const std::chrono::day day(static_cast<unsigned>(in.number(2, 31)));
  in.ok = in.ok && (year / month / day).ok();
  return in.ok ? std::chrono::sys_days(year / month / day) : std::chrono::sys_days();
}

/// `16:06`, `16:06:56`, `16:06:56.123`; digits beyond milliseconds are dropped. A leap second is the next minute.
milliseconds read_time_of_day(Reader& in) {
  seconds time = std::chrono::hours(in.number(2, 23));
  in.expect(":");
  time += std::chrono::minutes(in.number(2, 59));
  if (!in.take(":")) return time;
  time += seconds(in.number(2, 60));
  if (!in.take(".")) return time;
  milliseconds fraction{0};
  int scale = 100;
  in.ok = in.ok && kDigits.find(in.rest.empty() ? ' ' : in.rest.front()) != kDigits.npos;
  for (char digit = 0; (digit = in.take(kDigits)); scale /= 10) fraction += milliseconds(scale * (digit - '0'));
  return time + fraction;
}

/// How far a zone (`Z`, `+08:00`, `+0800`) or, without one, local time is ahead of UTC at `time`.
seconds read_zone(Reader& in, std::chrono::sys_seconds time) {
  in.take(" ");
  if (in.take("Zz")) return seconds(0);
  const char sign = in.take("+-");
  if (!sign) {
    const std::time_t as_utc = time.time_since_epoch().count();
    std::tm fields{};
    gmtime_r(&as_utc, &fields);
    fields.tm_isdst = -1;
    return seconds(as_utc - std::mktime(&fields));
  }
  seconds ahead = std::chrono::hours(in.number(2, 23));
  in.take(":");
  ahead += std::chrono::minutes(in.number(2, 59));
  return sign == '+' ? ahead : -ahead;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto second = std::chrono::floor<seconds>(time);
  const std::time_t unix_time = second.time_since_epoch().count();
  std::tm fields{};
  gmtime_r(&unix_time, &fields);
  char text[64];
  const std::string date_and_time(text, std::strftime(text, sizeof text, "%FT%T.", &fields));
  return date_and_time + std::to_string(1000 + (time - second).count()).substr(1) + "Z";  // three digits
}

std::string to_local(WallTime time) {
  const std::time_t unix_time = std::chrono::floor<seconds>(time).time_since_epoch().count();
  std::tm fields{};
  localtime_r(&unix_time, &fields);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%F %T %z", &fields)};
}

std::optional<WallTime> parse_time(std::string_view text) {
  Reader in{text};
  WallTime time = read_date(in);
  if (in.take(" Tt")) time += read_time_of_day(in);
  time -= read_zone(in, std::chrono::floor<seconds>(time));
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return time;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of(kDigits), text.size());
  const auto count = parse_number(text.substr(0, digits));
  for (const auto& unit : kUnits) {
    if (!count || text.substr(digits) != unit.name) continue;
    if (*count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / unit.in_ms)) break;
    return milliseconds(static_cast<std::int64_t>(*count) * unit.in_ms);
  }
  return std::nullopt;
}

std::string to_text(milliseconds duration) {
  if (duration == milliseconds(0)) return "0s";
  const Unit* unit = kUnits;
  while (duration.count() % unit->in_ms != 0) ++unit;
  return std::to_string(duration.count() / unit->in_ms).append(unit->name);
}

WallTime SystemClock::wall() const noexcept {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const noexcept {
  return std::chrono::steady_clock::now();
}

}  // namespace alertspool
