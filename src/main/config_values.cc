#include "main/config_values.h"

#include "base/fd.h"
#include "base/text.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <system_error>

namespace alertspool::config_values {

namespace {

using std::string;

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// What no client and no web server encodes in a URL: RFC 3986 section 2.3, unreserved.
constexpr std::string_view kSecretCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~";
constexpr std::size_t kShortestSecret = 16;

bool consists_of(std::string_view text, std::string_view characters) noexcept {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

/// The text, when it is good.
const string& require(bool good, const string& text, const string& cure) {
  if (!good) throw BadValue("'" + text + "': " + cure);
  return text;
}

/// The value of a result that is a string when it failed.
template <class Value>
Value value_or_throw(std::variant<Value, string> result) {
  if (const auto* why = std::get_if<string>(&result)) throw BadValue(*why);
  return std::get<Value>(std::move(result));
}

/// Takes one line of the token file; empty, or what is wrong with it.
string take_token(std::string_view text, std::vector<Token>& tokens) {
  if (text.empty() || text.front() == '#') return "";
  const std::size_t name_end = std::min(text.find_first_of(" \t"), text.size());
  const Token token{string(text.substr(0, name_end)), string(trim(text.substr(name_end)))};
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

std::int64_t number(const string& text, std::int64_t least, std::int64_t most) {
  const std::uint64_t value = parse_number(text).value_or(UINT64_MAX);
  require(value >= static_cast<std::uint64_t>(least) && value <= static_cast<std::uint64_t>(most), text,
          "write a number from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<std::int64_t>(value);
}

std::size_t size(const string& text, std::size_t least, std::size_t most) {
  const std::size_t unit = text.ends_with("KiB") ? 1 << 10 : text.ends_with("MiB") ? 1 << 20 : 0;
  const std::size_t value = unit == 0 ? 0 : parse_number(text.substr(0, text.size() - 3)).value_or(0);
  require(unit != 0 && value <= most / unit && value * unit >= least, text,
          "write a size in KiB or MiB, like 64KiB, from " + std::to_string(least >> 10) + "KiB to " +
              std::to_string(most >> 20) + "MiB");
  return value * unit;
}

milliseconds duration(const string& text, milliseconds least, milliseconds most) {
  const auto value = parse_duration(text);
  require(value && *value >= least && *value <= most, text,
          "write a duration with its unit (ms, s, m, h, d), like 30s, from " + to_text(least) + " to " + to_text(most));
  return *value;
}

bool yes_or_no(const string& text) {
  return require(text == "yes" || text == "no", text, "write yes or no") == "yes";
}

string account(const string& text) {
  return require(consists_of(text, "0123456789"), text, "an account is digits only");
}

string absolute_path(const string& text) {
  return require(text.front() == '/', text, "write an absolute path, without quotes");
}

string socket_path(const string& text) {
  return absolute_path(
      require(text.size() < sizeof(sockaddr_un::sun_path), text, "a socket's path has at most 107 bytes"));
}

string group(const string& text) {
  if (getgrnam(text.c_str()) == nullptr) throw BadValue("no group '" + text + "' on this system");
  return text;
}

string store_url(const string& text) {
  const bool good = text.starts_with("sqlite:/") && !text.ends_with('/') && text.find_first_of("=\"") == text.npos;
  return require(good, text, "this version keeps alerts in SQLite only: write sqlite:/PATH, without '=' and '\"'");
}

void add_prefixes(const string& text, std::vector<Prefix>& prefixes) {
  for (const Preset& preset : presets()) {
    if (preset.name != text) continue;
    for (const auto prefix : preset.prefixes) prefixes.push_back(value_or_throw(parse_prefix(prefix)));
    return;
  }
  prefixes.push_back(value_or_throw(parse_prefix(text)));
}

std::vector<Token> read_tokens(const string& path) {
  const string text = contents(path);
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && (status.st_mode & 07) != 0)
    throw BadValue(path + " is open to all users: chmod o= " + path);
  std::vector<Token> tokens;
  int number = 0;
  for (const string& line : split(text, '\n')) {
    ++number;
    const string fault = take_token(trim(line), tokens);
    if (!fault.empty()) throw BadValue(path + ":" + std::to_string(number) + ": " + fault);
  }
  if (tokens.empty()) throw BadValue(path + " holds no token: add a line NAME SECRET");
  return tokens;
}

string contents(const string& path) {
  try {
    return read_file(path, 1 << 20);
  } catch (const std::system_error& error) {
    throw BadValue(path + ": cannot read it: " + error.code().message());
  } catch (const std::length_error&) {
    throw BadValue(path + ": larger than 1 MiB");
  }
}

bool is_name(const string& text) noexcept {
  return consists_of(text, kNameCharacters);
}

ActionConfig::Type action_type(const string& text) {
  require(text == "syslog" || text == "command", text, "write syslog or command");
  return text == "syslog" ? ActionConfig::Type::syslog : ActionConfig::Type::command;
}

Match match(const string& text) {
  return value_or_throw(parse_match(text));
}

int facility(const string& text) {
  const int number = facility_number(text);
  require(number >= 0, text, "no syslog facility; write daemon, user, or local0 to local7");
  return number;
}

std::vector<string> command(const string& text) {
  auto words = value_or_throw(split_words(text));
  require(!words.empty() && words.front().starts_with('/'), text,
          "the program must be an absolute path, no PATH is searched");
  return words;
}

void add_exit_codes(const string& text, std::vector<int>& codes) {
  string list = text;
  std::replace(list.begin(), list.end(), ',', ' ');
  for (const string& word : value_or_throw(split_words(list))) codes.push_back(static_cast<int>(number(word, 1, 255)));
}

}  // namespace alertspool::config_values
