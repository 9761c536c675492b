#include "alert/line.h"

#include "base/text.h"

#include <algorithm>

namespace alertspool {
namespace {

constexpr std::string_view kCut = " truncated=1";

/// Names of items that are ours.
constexpr std::string_view kOwnNames[] = {"id", "test", "truncated", "field"};

bool is_plain_name(std::string_view name) {
  constexpr auto kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  return !name.empty() && name.find_first_not_of(kLetters) == std::string_view::npos &&
         std::find(std::begin(kOwnNames), std::end(kOwnNames), name) == std::end(kOwnNames);
}

/// A name that could be taken for one of ours, or for the end of a value, goes inside the quotes.
std::string item(const std::string& name, const std::string& value) {
  const auto shown = name == "signature" ? "***" : value;
  return is_plain_name(name) ? logfmt(name, shown) : logfmt("field", name + "=" + shown);
}

/// The fields that have a value, documented ones first.
std::vector<const Field*> in_order(const Alert& alert) {
  std::vector<const Field*> order;
  for (const auto& field : alert.fields)
    if (!field.second.empty() && field.second != "null") order.push_back(&field);
  const auto& documented = documented_fields();
  const auto rank = [&](const Field* field) { return std::find(documented.begin(), documented.end(), field->first); };
  std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
  return order;
}

}  // namespace

std::string syslog_line(std::int64_t id, bool test, const Alert& alert) {
  std::string line = "id=" + std::to_string(id) + (test ? " test=1" : "");
  auto boundary = line.size();
  for (const auto* field : in_order(alert)) {
    line += " " + item(field->first, field->second);
    if (line.size() > kMaxLine) return line.substr(0, boundary).append(kCut);
    if (line.size() + kCut.size() <= kMaxLine) boundary = line.size();
  }
  return line;
}

int syslog_severity(const Alert& alert) noexcept {
  if (clears(alert)) return 5;
  if (value_of(alert.fields, "alertState") == "INSUFFICIENT_DATA") return 4;
  if (alert.severity == "CRITICAL") return 2;
  if (alert.severity == "WARN") return 4;
  if (alert.severity == "INFO") return 6;
  return 5;
}

}  // namespace alertspool
