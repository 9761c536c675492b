/// Splitting a line into words as a shell does: blanks separate; '...' is literal; "..." with \" \\ \$ \` ; backslash
/// quotes one character. Nothing is expanded.

#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alertspool {

/// The string is why not: `unclosed '"'`, `backslash at the end`.
std::variant<std::vector<std::string>, std::string> split_words(std::string_view line);

}  // namespace alertspool
