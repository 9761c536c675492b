/// The lines of the configuration file: sections, `key = value`, comments. Knows no key. Boost.Program_options' own
/// parser is not used for this: it forgets line numbers and cuts a value at any `#`.

#pragma once

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

}  // namespace alertspool
