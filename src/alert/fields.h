/// Fields: names and values in the order in which they came. A name may appear twice: the first counts, all are kept.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alertspool {

using Field = std::pair<std::string, std::string>;
using Fields = std::vector<Field>;

/// The first value of that name; nullptr when there is none.
const std::string* find(const Fields& fields, std::string_view name) noexcept;

/// The first value of that name; empty when it is absent or CloudMonitor's way of saying absent, the text `null`.
std::string_view value_of(const Fields& fields, std::string_view name) noexcept;

}  // namespace alertspool
