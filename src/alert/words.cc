#include "alert/words.h"

namespace alertspool {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// POSIX shell, 2.2.3: in double quotes a backslash quotes only these.
constexpr std::string_view kQuotedInDouble = "\"\\$`";

/// Appends the quoted part that starts at line[at] to the word. Returns where it ends, npos when it is not closed.
std::size_t take_quoted(std::string_view line, std::size_t at, std::string& word) {
  const char quote = line[at++];
  for (; at < line.size() && line[at] != quote; ++at) {
    const bool escapes = quote == '"' && line[at] == '\\' && at + 1 < line.size() &&
                         kQuotedInDouble.find(line[at + 1]) != std::string_view::npos;
    if (escapes) ++at;
    word += line[at];
  }
  return at < line.size() ? at + 1 : std::string_view::npos;
}

}  // namespace

std::variant<std::vector<std::string>, std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = line.find_first_not_of(kBlanks); at < line.size(); at = line.find_first_not_of(kBlanks, at)) {
    std::string word;
    while (at < line.size() && kBlanks.find(line[at]) == std::string_view::npos) {
      const char c = line[at];
      if (c == '\'' || c == '"') {
        at = take_quoted(line, at, word);
        if (at == std::string_view::npos) return std::string("unclosed ") + (c == '"' ? "'\"'" : "\"'\"");
        continue;
      }
      if (c == '\\' && ++at == line.size()) return "backslash at the end";
      word += line[at++];
    }
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace alertspool
