/// What the operator's verbs share: the spool that they open, the FILTER options and ids that select alerts in it, who
/// calls them, whether the processes of a spool live, text for people, and a sample callback.

#pragma once

#include "alert/alert.h"
#include "alert/route.h"
#include "main/verb.h"
#include "web/request.h"

#include <functional>

namespace alertspool {

/// The spool that the arguments' configuration names. Throws ConfigError, StoreError.
struct OpenSpool {
  OpenSpool(const Arguments& arguments, StoreUse use);
  /// Says on standard error when there is none.
  std::optional<Record> record(std::int64_t id);

  Config config;
  SystemClock clock;
  Store store;
};

struct Selection {
  Filter filter;               ///< what the spool can select
  std::vector<Match> matches;  ///< what only the decoded alert can say: all of them must match
};

/// The verb's own options and the FILTER options.
std::vector<OptionSpec> with_filter_options(const std::vector<OptionSpec>& own);

/// `--since` and `--until` are times or ages (`2h`: two hours before `now`). Throws UsageError.
Selection selection_of(const Arguments& arguments, WallTime now);

/// Calls `each` for every selected alert, newest first, until it returns false.
void for_each(Store& store, const Selection& selection, const std::function<bool(const Record&, const Alert&)>& each);

/// Positional arguments as ids, ascending, each once. Throws UsageError.
std::vector<std::int64_t> ids_of(const Arguments& arguments);

/// For the log: who ran sudo, else the name of our user, else its number.
std::string operator_name();

enum class Life { alive, unknown, dead };

/// Alive: heard within 30 s, or running on this host. Dead: on this host and not running. On another host a process
/// that was not heard is unknown.
Life life_of(const HeardProcess& process, const std::string& this_host, WallTime now) noexcept;

/// The value of an option that is a duration. Throws UsageError.
milliseconds duration_of(const Arguments& arguments, const char* option, const char* fallback);

/// Whether a deliverer is alive.
bool deliverer_alive(const Status& status);

/// The largest unit alone: `2m`, `3d`; `0s` for what is younger than a second or lies ahead.
std::string age_text(milliseconds age);

/// A part of a line for people.
struct Cell {
  std::string text;
  std::size_t width = 0;    ///< at least 2, in columns of a terminal, where a Chinese character takes two
  bool number = false;      ///< aligned to the right
  const char* colour = "";  ///< the escape sequence that starts it
};

/// The cells of one line, escaped, each padded or cut (with an ellipsis) to its width, and a blank between them.
std::string line_of(const std::vector<Cell>& cells);

/// `  name  value` per line, names padded to the longest. Both are the sender's words, so they are escaped.
std::string aligned(const Fields& rows);
/// These facts and those of the alert, as far as they have a value, and its fields.
void print_alert(const Alert& alert, Fields facts);

// ---- a realistic callback: `sample` prints it, `test` spools it

/// Every field that CloudMonitor documented in 2024, with this time as its timestamp, changed by `FIELD=VALUE`: unknown
/// names are added, an empty value stays an empty field. Two samples belong to one alarm, so `alertState=OK` ends what
/// a sample before it began. Throws UsageError for a word without `=`.
Fields sample_fields(WallTime now, const std::vector<std::string>& changes);

/// As CloudMonitor sends it: application/x-www-form-urlencoded, WHATWG URL Standard section 5.2.
std::string encode_form(const Fields& fields);

/// The request that brings such a body.
Request callback_request(const std::string& from, const std::string& content_type, const std::string& body);

}  // namespace alertspool
