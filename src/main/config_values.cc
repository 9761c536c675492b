#include "main/config_values.h"

#include "base/fd.h"
#include "base/text.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <set>
#include <system_error>

namespace alertspool::config_values {

namespace {

constexpr std::string_view kWordCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// What no client and no web server encodes in a URL: RFC 3986 section 2.3, unreserved.
constexpr std::string_view kSecretCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~";
constexpr std::size_t kShortestSecret = 16;

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

bool consists_of(std::string_view text, std::string_view characters) noexcept {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

/// The value of a result that is a string when it failed.
template <class Value>
Value value_or_throw(std::variant<Value, std::string> result) {
  if (const auto* why = std::get_if<std::string>(&result)) throw BadValue(*why);
  return std::get<Value>(std::move(result));
}

/// Takes one line of the token file; empty, or what is wrong with it.
std::string take_token(const std::string& line, std::vector<Token>& tokens) {
  const std::string_view text = trim(line);
  if (text.empty() || text.front() == '#') return "";
  const std::size_t blank = text.find_first_of(" \t");
  const Token token{std::string(text.substr(0, blank)),
                    blank == text.npos ? "" : std::string(trim(text.substr(blank)))};
  if (token.secret.empty()) return "not of the form NAME SECRET";
  if (!is_name(token.name)) return "a name consists of letters, digits, _ and -";
  if (!consists_of(token.secret, kSecretCharacters)) return "a secret consists of letters, digits and . _ ~ -";
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

std::int64_t number(const std::string& text, std::int64_t least, std::int64_t most) {
  const auto value = parse_number(text);
  if (value && *value >= static_cast<std::uint64_t>(least) && *value <= static_cast<std::uint64_t>(most))
    return static_cast<std::int64_t>(*value);
  throw BadValue(quoted(text) + ": write a number from " + std::to_string(least) + " to " + std::to_string(most));
}

std::size_t size(const std::string& text, std::size_t least, std::size_t most) {
  const std::size_t unit = text.ends_with("KiB") ? 1 << 10 : text.ends_with("MiB") ? 1 << 20 : 0;
  const auto value = unit == 0 ? std::nullopt : parse_number(text.substr(0, text.size() - 3));
  if (value && *value >= (least + unit - 1) / unit && *value <= most / unit) return *value * unit;
  throw BadValue(quoted(text) + ": write a size in KiB or MiB, like 64KiB, from " + std::to_string(least >> 10) +
                 "KiB to " + std::to_string(most >> 20) + "MiB");
}

milliseconds duration(const std::string& text, milliseconds least, milliseconds most) {
  const auto value = parse_duration(text);
  if (value && *value >= least && *value <= most) return *value;
  throw BadValue(quoted(text) + ": write a duration with its unit (ms, s, m, h, d), like 30s, from " + to_text(least) +
                 " to " + to_text(most));
}

bool yes_or_no(const std::string& text) {
  if (text != "yes" && text != "no") throw BadValue(quoted(text) + ": write yes or no");
  return text == "yes";
}

std::string digits(const std::string& text) {
  if (!consists_of(text, "0123456789")) throw BadValue(quoted(text) + ": an account is digits only");
  return text;
}

std::string absolute_path(const std::string& text) {
  if (text.front() != '/') throw BadValue(quoted(text) + ": write an absolute path, without quotes");
  return text;
}

std::string socket_path(const std::string& text) {
  if (text.size() >= sizeof(sockaddr_un::sun_path))
    throw BadValue("longer than the 107 bytes that a socket's path may have");
  return absolute_path(text);
}

std::string group(const std::string& text) {
  if (getgrnam(text.c_str()) == nullptr) throw BadValue("no group " + quoted(text) + " on this system");
  return text;
}

std::string store_url(const std::string& text) {
  if (text.starts_with("postgresql:")) throw BadValue("this version keeps alerts in SQLite only: write sqlite:/PATH");
  const std::string scheme = "sqlite:";
  if (!text.starts_with(scheme + "/") || text.ends_with('/')) throw BadValue(quoted(text) + ": write sqlite:/PATH");
  if (text.find_first_of("=\"") != std::string::npos)
    throw BadValue("the path of a SQLite spool must not contain '=' or '\"': choose another");
  return text;
}

void add_prefixes(const std::string& text, std::vector<Prefix>& prefixes) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.emplace_back(preset.name);
    if (preset.name != text) continue;
    for (const auto prefix : preset.prefixes) prefixes.push_back(value_or_throw(parse_prefix(prefix)));
    return;
  }
  if (const std::string near = nearest(text, names); !near.empty())
    throw BadValue(quoted(text) + ": no such preset; did you mean " + near + "?");
  prefixes.push_back(value_or_throw(parse_prefix(text)));
}

std::vector<Token> read_tokens(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw BadValue("cannot read " + path + ": " + std::generic_category().message(errno));
  if ((status.st_mode & 07) != 0) throw BadValue(path + " is open to all users: chmod o= " + path);
  std::vector<Token> tokens;
  std::string faults;
  try {
    int number = 0;
    for (const std::string& line : split(read_file(path, 1 << 20), '\n')) {
      ++number;
      const std::string fault = take_token(line, tokens);
      if (!fault.empty())
        faults.append(faults.empty() ? "" : "; ").append(path + ":" + std::to_string(number) + ": ").append(fault);
    }
  } catch (const std::system_error& error) {
    throw BadValue("cannot read " + path + ": " + error.code().message());
  } catch (const std::length_error&) {
    throw BadValue(path + " is larger than 1 MiB");
  }
  if (faults.empty() && tokens.empty()) throw BadValue(path + " holds no token: add a line NAME SECRET");
  if (!faults.empty()) throw BadValue(faults);
  return tokens;
}

bool is_name(const std::string& text) noexcept {
  return consists_of(text, kWordCharacters);
}

ActionConfig::Type action_type(const std::string& text) {
  if (text == "syslog") return ActionConfig::Type::syslog;
  if (text == "command") return ActionConfig::Type::command;
  throw BadValue(quoted(text) + ": write syslog or command");
}

Match match(const std::string& text) {
  return value_or_throw(parse_match(text));
}

int facility(const std::string& text) {
  const int number = facility_number(text);
  if (number < 0) throw BadValue(quoted(text) + ": no syslog facility; write daemon, user, or local0 to local7");
  return number;
}

std::vector<std::string> command(const std::string& text) {
  auto words = value_or_throw(split_words(text));
  if (words.empty() || !words.front().starts_with('/'))
    throw BadValue(quoted(text) + ": the program must be an absolute path, no PATH is searched");
  return words;
}

void add_exit_codes(const std::string& text, std::vector<int>& codes) {
  std::string list = text;
  std::replace(list.begin(), list.end(), ',', ' ');
  for (const std::string& word : value_or_throw(split_words(list)))
    codes.push_back(static_cast<int>(number(word, 1, 255)));
}

}  // namespace alertspool::config_values
