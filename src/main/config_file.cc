#include "main/config_file.h"

#include "base/fd.h"
#include "base/text.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <system_error>

namespace alertspool {

namespace {

using std::string;

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// What no client and no web server encodes in a URL: RFC 3986 section 2.3, unreserved.
constexpr std::string_view kSecretCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~";
constexpr std::size_t kShortestSecret = 16;

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
  if (std::ranges::any_of(text, [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; }))
    return "control character in this line: remove it";
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

/// Takes one line of the token file; empty, or what is wrong with it.
string take_token(std::string_view line, std::vector<Token>& tokens) {
  if (line.empty() || line.front() == '#') return "";
  const std::size_t name_end = std::min(line.find_first_of(" \t"), line.size());
  const Token token{string(line.substr(0, name_end)), string(trim(line.substr(name_end)))};
  if (token.secret.empty()) return "not of the form NAME SECRET";
  if (!is_name(token.name)) return "a name consists of letters, digits, _ and -";
  if (token.secret.find_first_not_of(kSecretCharacters) != string::npos)
    return "a secret consists of letters, digits and . _ ~ -";
  if (token.secret.size() < kShortestSecret)
    return "secret shorter than " + std::to_string(kShortestSecret) + " characters: openssl rand -hex 16 makes one";
  for (const Token& other : tokens) {
    if (other.name == token.name) return "there already is a token " + token.name;
    if (other.secret == token.secret) return "same secret as token " + other.name + ": each needs its own";
  }
  tokens.push_back(token);
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

std::vector<Token> read_tokens(const string& path) {
  const string text = contents(path);
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && (status.st_mode & 07) != 0)
    throw ConfigError(path + " is open to all users: chmod o= " + path);
  std::vector<Token> tokens;
  int number = 0;
  for (const string& line : split(text, '\n')) {
    ++number;
    const string fault = take_token(trim(line), tokens);
    if (!fault.empty()) throw ConfigError(path + ":" + std::to_string(number) + ": " + fault);
  }
  if (tokens.empty()) throw ConfigError(path + " holds no token: add a line NAME SECRET");
  return tokens;
}

string contents(const string& path) {
  try {
    return read_file(path, 1 << 20);
  } catch (const std::system_error& error) {
    throw ConfigError(path + ": cannot read it: " + error.code().message());
  }
}

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of(kNameCharacters) == text.npos;
}

}  // namespace alertspool
