#include "alert/route.h"

#include "alert/words.h"
#include "base/text.h"

#include <algorithm>

namespace alertspool {

namespace {

/// The first UTF-8 character; of what is not UTF-8 some bytes, at least one. Compared as bytes, characters sort like
/// their code points. REQUIRES: not empty.
std::string_view first_char(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (text[length] & 0xC0) == 0x80) ++length;
  return text.substr(0, length);
}

/// The next character of a bracket, which a backslash may quote. Moves `at` behind it.
std::string_view bracket_char(std::string_view glob, std::size_t& at) {
  if (glob[at] == '\\' && at + 1 < glob.size()) ++at;
  const auto character = first_char(glob.substr(at));
  at += character.size();
  return character;
}

/// Whether the first element of a glob, which is no `*`, takes the character, and how long that element is.
struct Element {
  bool takes = false;
  std::size_t length = 0;
};

Element take_bracket(std::string_view glob, std::string_view character) {
  std::size_t at = 1;
  const bool negated = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const auto first = at; at < glob.size();) {
    if (glob[at] == ']' && at != first) return {found != negated, at + 1};
    const auto low = bracket_char(glob, at);
    auto high = low;
    if (at + 1 < glob.size() && glob[at] == '-' && glob[at + 1] != ']') high = bracket_char(glob, ++at);
    found = found || (low <= character && character <= high);
  }
  return {character == "[", 1};  // never closed: no bracket, just the character
}

Element take(std::string_view glob, std::string_view character) {
  if (glob.empty()) return {};
  if (glob[0] == '?') return {true, 1};
  if (glob[0] == '[') return take_bracket(glob, character);
  std::size_t length = 0;
  const auto literal = bracket_char(glob, length);
  return {literal == character, length};
}

}  // namespace

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

bool matches(const Match& match, const Alert& alert) noexcept {
  const auto value = lookup(alert, match.field);
  const auto fits = [value](const std::string& glob) { return glob_matches(glob, value); };
  return (match.globs.empty() || std::any_of(match.globs.begin(), match.globs.end(), fits)) &&
         std::none_of(match.excluded.begin(), match.excluded.end(), fits);
}

bool glob_matches(std::string_view glob, std::string_view text) noexcept {
  std::size_t g = 0;
  std::size_t t = 0;
  // Only the last `*` ever has to take more: whatever an earlier one took, the rest had its first chance already.
  auto after_star = std::string_view::npos;
  std::size_t star_end = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      after_star = ++g;
      star_end = t;
      continue;
    }
    const auto character = first_char(text.substr(t));
    const auto element = take(glob.substr(g), character);
    if (element.takes) {
      g += element.length;
      t += character.size();
    } else if (after_star != std::string_view::npos) {
      star_end += first_char(text.substr(star_end)).size();
      t = star_end;
      g = after_star;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

std::string why_not(const Route& route, const Alert& alert) {
  for (const auto& match : route.matches)
    if (!matches(match, alert)) return match.text + ": " + logfmt(match.field, lookup(alert, match.field));
  return {};
}

}  // namespace alertspool
