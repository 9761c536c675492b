#include "alert/fields.h"

#include <algorithm>

namespace alertspool {

const std::string* find(const Fields& fields, std::string_view name) noexcept {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

std::string_view value_of(const Fields& fields, std::string_view name) noexcept {
  const std::string* value = find(fields, name);
  return value && *value != "null" ? std::string_view(*value) : std::string_view();
}

}  // namespace alertspool
