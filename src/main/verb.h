/// Verbs: `alertspool VERB ...`, one file each. main() finds the verb, parses its options with Boost.Program_options
/// and calls it.

#pragma once

#include "main/config.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

/// sysexits(3): exit codes of every verb but status, which speaks like a monitoring plugin.
enum Exit {
  kOk = 0,
  kUsage = 64,
  kDataError = 65,
  kUnavailable = 69,
  kSoftware = 70,
  kTryLater = 75,
  kConfigError = 78
};

/// Wrong use: one line that says what, and what to type instead. Exit 64.
class UsageError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// An option of a verb. `value` empty: a flag. Repeated options collect.
struct OptionSpec {
  const char* name;   ///< `limit`
  const char* value;  ///< `N`, or empty
  const char* help;
};

/// What the user said, checked against the verb's options.
class Arguments {
public:
  std::vector<std::string> positional;

  bool has(std::string_view option) const;
  /// The last value given.
  std::string value(std::string_view option, const std::string& fallback = "") const;
  std::vector<std::string> values(std::string_view option) const;
  void add(std::string option, std::string value) { given_.emplace_back(std::move(option), std::move(value)); }

private:
  Fields given_;
};

struct Verb {
  const char* name;
  const char* arguments;  ///< `ID... | FILTER...`; empty: it takes none
  const char* summary;    ///< one line for --help
  std::vector<OptionSpec> options;
  int (*run)(const Arguments&);
};

/// Each is defined in the file of its name.
extern const Verb kServeVerb, kDeliverVerb, kCheckVerb, kExplainVerb, kSampleVerb, kTestVerb, kUrlVerb, kInitVerb,
    kListVerb, kShowVerb, kRetryVerb, kDropVerb, kBackupVerb, kCopyVerb, kStatusVerb;

/// In the order of --help.
const std::vector<const Verb*>& verbs();

/// Started as a CGI program (RFC 3875, section 4.1.4).
bool is_cgi() noexcept;

/// What a command line asks for.
struct Call {
  const Verb* verb = nullptr;
  Arguments arguments;
  bool named = false;  ///< the verb was written out
  bool help = false;
  bool version = false;
};

/// `words` are main()'s without argv[0]. Without a verb it is `serve`.
///
/// Under GATEWAY_INTERFACE it is always `serve`: Apache passes a query string without `=` as arguments, so whoever may
/// send a request writes them, and they are ignored when QUERY_STRING has that form (RFC 3875 section 4.4). There the
/// configuration is named by ALERTSPOOL_CONFIG, which the web server sets and a sender cannot. Throws UsageError.
Call parse_call(const std::vector<std::string>& words);

/// Reads the configuration that these arguments name. Throws ConfigError.
Config config_of(const Arguments& arguments, Secrets secrets = Secrets::read);

/// Runs main() without the process: argv[0] is not looked at. Prints errors to standard error (to syslog when that is
/// /dev/null), returns the exit code.
int run_main(int argc, char** argv);

}  // namespace alertspool
