/// The values of configuration keys, from their text. Each function throws BadValue for what it does not take.

#pragma once

#include "alert/authorise.h"
#include "base/time.h"
#include "deliver/action_config.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace alertspool::config_values {

/// What is wrong with a value and what to write instead.
class BadValue : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

std::int64_t number(const std::string& text, std::int64_t least, std::int64_t most);
/// `64KiB`, `1MiB`: powers of 1024; no other unit, so that nobody wonders what KB means.
std::size_t size(const std::string& text, std::size_t least, std::size_t most);
milliseconds duration(const std::string& text, milliseconds least, milliseconds most);
bool yes_or_no(const std::string& text);
std::string account(const std::string& text);
std::string absolute_path(const std::string& text);
/// Absolute, and short enough for sockaddr_un.
std::string socket_path(const std::string& text);
std::string group(const std::string& text);
std::string store_url(const std::string& text);

/// An address, a prefix, or a preset's name.
void add_prefixes(const std::string& text, std::vector<Prefix>& prefixes);
/// Refuses a file that others than owner and group may use, and secrets that are short or would not survive a URL.
/// Never shows a secret.
std::vector<Token> read_tokens(const std::string& path);
/// The whole file.
std::string contents(const std::string& path);

/// Whether it may name an action or a token.
bool is_name(const std::string& text) noexcept;
ActionConfig::Type action_type(const std::string& text);
Match match(const std::string& text);
int facility(const std::string& text);
/// argv; its first word is an absolute path.
std::vector<std::string> command(const std::string& text);
/// `65 66` or `65, 66`.
void add_exit_codes(const std::string& text, std::vector<int>& codes);

}  // namespace alertspool::config_values
