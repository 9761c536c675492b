#include "alert/route.h"

#include "base/text.h"
#include "fuzz.h"

#include <fnmatch.h>

#include <algorithm>

namespace alertspool {
namespace {

using namespace fuzz;

/// Where fnmatch(3) in the C locale has the same rules: ASCII without backslashes, its brackets closed and not empty,
/// and no bracket within another (`[[:alpha:]]`).
bool is_common(std::string_view glob) {
  char before = 0;
  bool inside = false;
  for (const char c : glob) {
    if (c <= 0 || c == '\\' || (c == '[' && inside)) return false;
    if (c == ']' && (!inside || before == '[' || before == '!' || before == '^')) return false;
    inside = c == '[' || (inside && c != ']');
    before = c;
  }
  return !inside;
}

void globs(const std::string& glob, const std::string& text) {
  if (is_common(glob) && std::ranges::all_of(text, [](char c) { return c > 0; }))
    demand(glob_matches(glob, text) == (fnmatch(glob.c_str(), text.c_str(), 0) == 0), "a glob is fnmatch(3)'s");

  std::string quoted;
  for (const char c : text)
    quoted += (std::string_view("*?[\\").find(c) == std::string_view::npos ? "" : "\\") + std::string(1, c);
  demand(glob_matches(quoted, text), "a text whose characters are quoted matches itself");
  demand(glob_matches("*" + quoted + "*", "x" + text + "y"), "and is found within another");
  demand(glob_matches("*", text), "* is everything");
  demand(glob_matches(std::string(code_points(text).size(), '?'), text), "? is one character");
}

void words(std::string_view line) {
  const auto split = split_words(line);
  if (const auto* why = std::get_if<std::string>(&split)) return demand(!why->empty(), "a refusal has a reason");
  std::string quoted;
  for (const std::string& word : std::get<std::vector<std::string>>(split)) {
    quoted += " '";
    for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    quoted += "'";
  }
  demand(split_words(quoted) == split, "words that are quoted are the same words");
}

void lines(std::string_view line, const std::string& value) {
  const auto parsed = parse_match(line);
  if (!std::holds_alternative<Match>(parsed)) return;
  const auto& match = std::get<Match>(parsed);
  demand(!match.field.empty() && match.globs.size() + match.excluded.size() > 0, "a match has a field and a glob");
  Alert alert;
  alert.fields = {{match.field, value}};
  const std::string_view seen = lookup(alert, match.field);
  const auto fits = [&](const std::string& glob) { return glob_matches(glob, seen); };
  const bool expected =
      (match.globs.empty() || std::ranges::any_of(match.globs, fits)) && std::ranges::none_of(match.excluded, fits);
  demand(matches(match, alert) == expected, "one of the globs and none of the excluded");
  const std::string why = why_not({"page", {match, match}, true}, alert);
  demand(why.empty() == expected, "a route takes an alert when all its lines hold");
}

}  // namespace

/// The first line is a `match` line and a glob, the rest is the value.
FUZZ_TARGET(route) {
  const std::string_view line = take_line(input);
  words(line);
  lines(line, std::string(input));
  globs(std::string(line), std::string(input));
}

}  // namespace alertspool
