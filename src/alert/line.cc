#include "alert/line.h"

#include "base/text.h"

#include <algorithm>

namespace alertspool {
namespace {

constexpr std::string_view kCut = " truncated=1";

/// A name that could be taken for one of our own items, or for the end of a value, goes inside the quotes.
std::string item(const std::string& name, const std::string& value) {
  constexpr std::string_view kOwnNames[] = {"id", "test", "truncated", "field"};
  constexpr auto kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  const bool plain =
      !name.empty() && name.find_first_not_of(kLetters) == name.npos && std::ranges::count(kOwnNames, name) == 0;
  const auto shown = name == "signature" ? "***" : value;
  return plain ? logfmt(name, shown) : logfmt("field", name + "=" + shown);
}

/// The fields that have a value, documented ones first.
Fields in_order(const Alert& alert) {
  Fields order;
  for (const auto& field : first_of_each(alert.fields))
    if (!field.second.empty() && field.second != "null") order.push_back(field);
  std::ranges::stable_sort(order, {}, [](const Field& field) {
    return std::ranges::find(documented_fields(), field.first) - documented_fields().begin();
  });
  return order;
}

}  // namespace

std::string syslog_line(std::int64_t id, bool test, const Alert& alert) {
  std::string line = "id=" + std::to_string(id) + (test ? " test=1" : "");
  auto boundary = line.size();
  for (const auto& [name, value] : in_order(alert)) {
    line += " " + item(name, value);
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
