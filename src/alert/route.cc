#include "alert/route.h"

#include "base/text.h"

#include <algorithm>

namespace alertspool {
namespace {

/// Takes one character off the front, which a backslash may quote. REQUIRES: not empty.
char32_t take_literal(std::u32string_view& glob) {
  if (glob[0] == '\\' && glob.size() > 1) glob.remove_prefix(1);
  const char32_t character = glob[0];
  glob.remove_prefix(1);
  return character;
}

/// Takes the first element of a glob, which is no `*`, off the front. Returns whether it stands for the character.
/// REQUIRES: not empty.
bool take_element(std::u32string_view& glob, char32_t character) {
  auto rest = glob.substr(1);
  if (glob[0] == '?') {
    glob = rest;
    return true;
  }
  if (glob[0] != '[') return take_literal(glob) == character;
  const bool negated = rest.starts_with('!') || rest.starts_with('^');
  if (negated) rest.remove_prefix(1);
  bool found = false;
  for (bool first = true; !rest.empty(); first = false) {
    if (rest[0] == ']' && !first) {
      glob = rest.substr(1);
      return found != negated;
    }
    const auto low = take_literal(rest);
    auto high = low;
    if (rest.size() > 1 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      high = take_literal(rest);
    }
    found = found || (low <= character && character <= high);
  }
  return take_literal(glob) == character;  // never closed: no bracket, just the character
}

}  // namespace

std::variant<std::vector<std::string>, std::string> split_words(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\n";
  constexpr std::string_view kQuotable = "\"\\$`";  // in double quotes: POSIX shell, 2.2.3
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;  // the one that is open
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (quote == 0 && kBlanks.find(c) != kBlanks.npos) {
      in_word = false;
      continue;
    }
    if (!std::exchange(in_word, true)) words.emplace_back();
    const auto next = line.substr(at + 1, 1);
    const bool quotes_next = quote == 0 || (quote == '"' && next.find_first_of(kQuotable) == 0);
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quotes_next) {
      if (next.empty()) return "backslash at the end";
      words.back() += line[++at];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) return std::string("unclosed ") + (quote == '"' ? "'\"'" : "\"'\"");
  return words;
}

std::variant<Match, std::string> parse_match(std::string_view line) {
  auto split = split_words(line);
  if (auto* why = std::get_if<std::string>(&split)) return std::move(*why);
  auto& words = std::get<std::vector<std::string>>(split);
  if (words.empty() || words[0].empty()) return "no field: FIELD GLOB... is needed";
  if (words.size() == 1) return "no glob after '" + words[0] + "': FIELD GLOB... is needed";
  Match match;
  match.text = trim(line);
  match.field = std::move(words[0]);
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('!'))
      match.excluded.push_back(words[i].substr(1));
    else
      match.globs.push_back(std::move(words[i]));
  }
  return match;
}

bool matches(const Match& match, const Alert& alert) {
  const auto value = lookup(alert, match.field);
  const auto fits = [value](const std::string& glob) { return glob_matches(glob, value); };
  return (match.globs.empty() || std::any_of(match.globs.begin(), match.globs.end(), fits)) &&
         std::none_of(match.excluded.begin(), match.excluded.end(), fits);
}

bool glob_matches(std::string_view glob, std::string_view text) {
  const std::u32string glob_characters = code_points(glob);
  const std::u32string characters = code_points(text);
  std::u32string_view elements = glob_characters;
  std::u32string_view left = characters;
  // Only the last `*` ever has to take more: whatever an earlier one took, the rest had its first chance already.
  std::u32string_view behind_star;
  std::u32string_view left_to_star;
  while (!left.empty()) {
    auto rest = elements;
    if (elements.starts_with('*')) {
      elements.remove_prefix(1);
      behind_star = elements;
      left_to_star = left;
    } else if (!rest.empty() && take_element(rest, left[0])) {
      elements = rest;
      left.remove_prefix(1);
    } else if (!left_to_star.empty()) {
      left_to_star.remove_prefix(1);
      left = left_to_star;
      elements = behind_star;
    } else {
      return false;
    }
  }
  return elements.find_first_not_of('*') == elements.npos;
}

std::string why_not(const Route& route, const Alert& alert) {
  for (const auto& match : route.matches)
    if (!matches(match, alert)) return match.text + ": " + logfmt(match.field, lookup(alert, match.field));
  return {};
}

}  // namespace alertspool
