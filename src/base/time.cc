#include "base/time.h"

#include "base/text.h"

#include <algorithm>
#include <cstring>
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

constexpr const char* kDigits = "0123456789";

/// `.123`; digits beyond milliseconds are dropped. Moves `rest` behind it.
milliseconds read_fraction(const char*& rest) {
  const std::string digits(rest + 1, std::strspn(rest + 1, kDigits));
  if (digits.empty()) return milliseconds(0);
  rest += 1 + digits.size();
  return milliseconds(std::stoi((digits + "00").substr(0, 3)));
}

bool is_possible(const std::tm& fields) {
  using namespace std::chrono;
  const auto date = year(fields.tm_year + 1900) / (fields.tm_mon + 1) / fields.tm_mday;
  return date.ok() && fields.tm_sec <= 60;  // strptime(3) takes 30 February and two leap seconds
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto second = std::chrono::floor<seconds>(time);
  const std::time_t unix_time = second.time_since_epoch().count();
  std::tm fields{};
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%FT%T.", gmtime_r(&unix_time, &fields));
  return std::string(text, length) + std::to_string(1000 + (time - second).count()).substr(1) + "Z";  // three digits
}

std::string to_local(WallTime time) {
  const std::time_t unix_time = std::chrono::floor<seconds>(time).time_since_epoch().count();
  std::tm fields{};
  char text[64];
  return {text, std::strftime(text, sizeof text, "%F %T %z", localtime_r(&unix_time, &fields))};
}

std::optional<WallTime> parse_time(std::string_view text) {
  const std::string terminated(text);
  const char* rest = terminated.c_str();
  std::tm fields{};
  // Of this width and no other, blanks only in front: strptime(3) takes `1` for %d, and blanks before it.
  const auto read = [&](const char* format, std::size_t width) {
    const bool ok = strptime(rest, format, &fields) == rest + width &&
                    std::string_view(rest + 1, width - 1).find_first_of(" \t\r\n\f\v") == std::string_view::npos;
    if (ok) rest += width;
    return ok;
  };
  milliseconds fraction{0};
  const bool compact = read("%Y%m%dT%H%M%S", 15);
  if (!compact && !read("%Y-%m-%d", 10)) return std::nullopt;
  const bool to_second = compact || ((read("T%H:%M", 6) || read(" %H:%M", 6)) && read(":%S", 3));
  if (to_second && *rest == '.') fraction = read_fraction(rest);
  if (!is_possible(fields)) return std::nullopt;
  fields.tm_isdst = -1;
  if (*rest == '\0') return WallTime(seconds(std::mktime(&fields)) + fraction);
  const seconds as_utc(timegm(&fields));
  rest = strptime(rest, "%z", &fields);
  if (!rest || *rest != '\0') return std::nullopt;
  return WallTime(as_utc - seconds(fields.tm_gmtoff) + fraction);
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

}  // namespace alertspool
