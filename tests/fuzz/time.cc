#include "base/time.h"

#include "base/text.h"
#include "fuzz.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace alertspool {
namespace {

using namespace fuzz;
using namespace std::chrono;

/// `2026-11-23T16:06:56.123Z` and nothing else.
std::optional<WallTime> rfc3339_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i)
    if (kForm[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) { return std::stoi(std::string(text.substr(at, size))); };
  const auto date = year(number(0, 4)) / number(5, 2) / number(8, 2);
  if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 59) return std::nullopt;
  return WallTime(sys_days(date)) + hours(number(11, 2)) + minutes(number(14, 2)) + seconds(number(17, 2)) +
         milliseconds(number(20, 3));
}

void times(std::string_view input) {
  const auto parsed = parse_time(input);
  if (const auto expected = rfc3339_utc(input)) demand(parsed == expected, "RFC 3339 in UTC is what it says");
  if (!parsed) return;
  constexpr WallTime kFrom = sys_days(year(1000) / 1 / 1), kTo = sys_days(year(10000) / 1 / 1);
  if (*parsed < kFrom || *parsed >= kTo) return;  // a year has four digits
  const std::string text = to_rfc3339(*parsed);
  demand(rfc3339_utc(text) == parsed, "to_rfc3339() writes RFC 3339");
  demand(parse_time(text) == parsed, "parse_time() reads what to_rfc3339() writes");
}

void durations(std::string_view input) {
  const auto parsed = parse_duration(input);
  const std::size_t digits = std::min(input.find_first_not_of("0123456789"), input.size());
  const std::string_view unit = input.substr(digits);
  const std::int64_t ms = unit == "ms"  ? 1
                          : unit == "s" ? 1000
                          : unit == "m" ? 60'000
                          : unit == "h" ? 3'600'000
                          : unit == "d" ? 86'400'000
                                        : 0;
  errno = 0;
  const std::uint64_t count = std::strtoull(std::string(input.substr(0, digits)).c_str(), nullptr, 10);
  std::int64_t expected = 0;
  if (ms == 0 || digits == 0 || errno != 0 || __builtin_mul_overflow(count, ms, &expected))
    return demand(!parsed, "a duration is digits and a unit, and no longer than 64 bits");
  demand(parsed == milliseconds(expected), "a duration is as long as it says");
  demand(parse_duration(to_text(*parsed)) == parsed, "parse_duration() reads what to_text() writes");
}

void numbers(std::string_view input) {
  std::int64_t number = 0;
  std::memcpy(&number, input.data(), std::min(input.size(), sizeof number));
  constexpr std::int64_t kYear1000 = -30'610'224'000'000, kYears9000 = 284'012'524'800'000;
  const WallTime time(milliseconds(kYear1000 + (number & INT64_MAX) % kYears9000));
  demand(rfc3339_utc(to_rfc3339(time)) == time, "every time can be written");
}

}  // namespace

FUZZ_TARGET(time) {
  times(input);
  durations(input);
  numbers(input);
}

}  // namespace alertspool
