/// Fields: names and values in the order in which they came. A name may appear twice: the first counts, all are kept.

#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alertspool {

using Field = std::pair<std::string, std::string>;
using Fields = std::vector<Field>;

/// The first value of that name; nullptr when there is none.
inline const std::string* find(const Fields& fields, std::string_view name) noexcept {
  const auto found = std::ranges::find(fields, name, &Field::first);
  return found == fields.end() ? nullptr : &found->second;
}

/// The first value of that name; empty when it is absent or CloudMonitor's way of saying absent, the text `null`.
inline std::string_view value_of(const Fields& fields, std::string_view name) noexcept {
  const std::string* value = find(fields, name);
  return value && *value != "null" ? std::string_view(*value) : std::string_view();
}

/// Without those whose name came before.
inline Fields first_of_each(const Fields& fields) {
  Fields first;
  std::ranges::copy_if(fields, std::back_inserter(first),
                       [&](const Field& field) { return find(fields, field.first) == &field.second; });
  return first;
}

}  // namespace alertspool
