/// What the files of a configuration say, line by line: sections, `key = value` and comments; names and secrets. Knows
/// no key. Boost.Program_options' own parser is not used for this: it forgets line numbers and cuts a value at any `#`.

#pragma once

#include "alert/authorise.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

struct ConfigLine {
  int number = 0;
  std::string key;
  std::string value;  ///< as written, without blanks at its ends, never empty; quotes are still in it
};

/// `[action.NAME]` and what stands below it; the first one has no name and holds what stands above any.
struct ConfigSection {
  int number = 0;
  std::string name;
  std::vector<ConfigLine> lines;
};

struct ConfigFault {
  int line = 0;
  std::string what;  ///< `KEY: what is wrong, what to do`
};

struct ConfigText {
  std::vector<ConfigSection> sections;
  std::vector<ConfigFault> faults;
};

/// A comment starts with `#` at the start of a line or after a blank. In quotes, after a backslash and inside a word
/// `#` is part of the value. Never fails: what it does not understand is a fault.
ConfigText split_config(std::string_view text);

/// What is wrong and what to write instead: with a value, or with a file, one line per error: `FILE:LINE: KEY: ...`.
/// Exit 78.
class ConfigError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Lines `NAME SECRET`. Refuses a file that others than owner and group may use, and secrets that are short or would
/// not survive a URL. Throws ConfigError, which never shows a secret.
std::vector<Token> read_tokens(const std::string& path);

/// A whole file of at most 1 MiB. Throws ConfigError.
std::string contents(const std::string& path);

/// Letters, digits, `_` and `-`: whether it may name a token or an action.
bool is_name(std::string_view text) noexcept;

}  // namespace alertspool
