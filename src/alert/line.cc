#include "alert/line.h"

#include "base/text.h"

#include <algorithm>
#include <vector>

namespace alertspool {
namespace {

constexpr std::string_view kCut = " truncated=1";

constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// A name that could be taken for one of our own items, or for the end of a value, goes inside the quotes.
std::string item(const std::string& name, std::string_view value) {
  constexpr std::string_view kOwnNames[] = {"id", "test", "truncated", "field"};
  const bool plain = !name.empty() && std::ranges::all_of(name, is_letter) && std::ranges::count(kOwnNames, name) == 0;
  if (name == "signature") value = "***";
  return plain ? logfmt(name, value) : logfmt("field", (name + "=").append(value));
}

/// The first of each name that has a value, documented ones first.
std::vector<const Field*> in_order(const Fields& fields) {
  const auto documented = documented_fields();
  std::vector<const Field*> order;
  order.reserve(fields.size());
  for (const std::string_view name : documented)
    if (const auto field = std::ranges::find(fields, name, &Field::first); field != fields.end())
      order.push_back(&*field);
  for (const Field& field : fields)
    if (std::ranges::count(documented, field.first) == 0 && find(fields, field.first) == &field.second)
      order.push_back(&field);
  std::erase_if(order, [](const Field* field) { return field->second.empty() || field->second == "null"; });
  return order;
}

}  // namespace

std::string syslog_line(std::int64_t id, bool test, const Alert& alert) {
  std::string line = "id=" + std::to_string(id) + (test ? " test=1" : "");
  auto boundary = line.size();
  for (const Field* field : in_order(alert.fields)) {
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
