#include "main/config_file.h"

#include "base/text.h"

#include <algorithm>
#include <optional>

namespace alertspool {

namespace {

bool is_control(char c) noexcept {
  return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

/// nullopt: a quote is never closed and a `#` follows it, so nobody can tell whether that begins a comment.
std::optional<std::string_view> without_comment(std::string_view line) noexcept {
  char quote = 0;
  bool quoted_hash = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quote != '\'') {
      ++i;
    } else if (quote != 0) {
      quoted_hash = quoted_hash || c == '#';
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
      quoted_hash = false;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return line.substr(0, i);
    }
  }
  if (quote != 0 && quoted_hash) return std::nullopt;
  return line;
}

/// Empty, or what is wrong with the line.
std::string take_line(std::string_view line, int number, std::vector<ConfigSection>& sections) {
  const auto content = without_comment(line);
  if (!content) return "unclosed quote before a '#': close it, or write \\' or \\\" for the character itself";
  const std::string_view text = trim(*content);
  if (std::any_of(text.begin(), text.end(), is_control)) return "control character in this line: remove it";
  if (text.empty()) return "";
  if (text.front() == '[') {
    if (text.back() != ']') return std::string(text) + ": no ']': write [action.NAME]";
    sections.push_back({number, std::string(trim(text.substr(1, text.size() - 2))), {}});
    return "";
  }
  const std::size_t equals = text.find('=');
  const std::string key(trim(text.substr(0, equals)));
  if (equals == std::string_view::npos) return key + ": no '=': write KEY = VALUE, or # before a comment";
  if (key.empty()) return "no key before '=': write KEY = VALUE";
  const std::string_view value = trim(text.substr(equals + 1));
  if (value.empty()) return key + ": no value: give it one, or remove the line";
  sections.back().lines.push_back({number, key, std::string(value)});
  return "";
}

}  // namespace

ConfigText split_config(std::string_view text) {
  ConfigText result;
  result.sections.emplace_back();
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    std::string fault = take_line(line, ++number, result.sections);
    if (!fault.empty()) result.faults.push_back({number, std::move(fault)});
  }
  return result;
}

}  // namespace alertspool
