/// Routes: which actions take an alert. `match = FIELD GLOB...`: one of the globs must match, none of the `!` ones may;
/// all lines must hold.

#pragma once

#include "alert/alert.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alertspool {

/// Words as a shell splits them: blanks separate; '...' is literal; "..." with \" \\ \$ \` ; backslash quotes one
/// character. Nothing is expanded. The string is why not: `unclosed '"'`, `backslash at the end`.
std::variant<std::vector<std::string>, std::string> split_words(std::string_view line);

/// One line of `match`.
struct Match {
  std::string field;
  std::vector<std::string> globs;     ///< one of these; none: any value, also an empty one
  std::vector<std::string> excluded;  ///< none of these (`!GLOB`, without the `!`)
  std::string text{};                 ///< the line as it was written
};

/// `severity CRITICAL 'two words' !INFO`; `!''` excludes the empty value. The string is why not.
std::variant<Match, std::string> parse_match(std::string_view line);

bool matches(const Match& match, const Alert& alert);

/// Shell glob over the whole text: `*`, `?`, `[a-z]`, `[!a]`, backslash quotes; a bracket that is never closed is just
/// the character. Case counts. At most the product of both lengths, never recursive. `?` and brackets take one UTF-8
/// character.
bool glob_matches(std::string_view glob, std::string_view text);

/// One action as far as choosing it goes.
struct Route {
  std::string action;
  std::vector<Match> matches;
  bool follow = true;
};

/// Empty when it takes the alert; else the first line of `match` that does not hold and the value it saw:
/// `severity CRITICAL: severity=WARN`.
std::string why_not(const Route& route, const Alert& alert);

}  // namespace alertspool
