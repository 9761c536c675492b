#include "main/filter.h"

#include "base/text.h"
#include "store/store.h"
#include "store/view.h"

#include <algorithm>
#include <array>

namespace alertspool {
namespace {

constexpr int kPage = 500;

// Constant, not made at start: verbs of other files ask for it while they are made.
constexpr std::array<OptionSpec, 7> kFilterOptions{
    {{"state", "STATE", "alerts in this state: pending, running, delivered, failed, dropped, unmatched, undecodable"},
     {"action", "NAME", "alerts with a delivery of this action"},
     {"alarm", "ID", "alerts of this alarm"},
     {"token", "NAME", "alerts that came with this token"},
     {"since", "TIME", "received at this time or later: 2026-11-23, '2026-11-23 16:06', or an age such as 2h"},
     {"until", "TIME", "received before this time"},
     {"match", "'FIELD GLOB'", "alerts that a match line of an action would take; repeatable, all must match"}}};

const std::vector<std::string> kStates{"pending", "running",   "delivered",  "failed",
                                       "dropped", "unmatched", "undecodable"};

void check_state(const std::string& state) {
  if (state.empty() || std::find(kStates.begin(), kStates.end(), state) != kStates.end()) return;
  const std::string near = nearest(state, kStates);
  throw UsageError("--state " + state + ": no such state; " +
                   (near.empty() ? "alertspool list --help names them" : "did you mean " + near + "?"));
}

std::optional<WallTime> time_of(const Arguments& arguments, const char* option, WallTime now) {
  if (!arguments.has(option)) return std::nullopt;
  const std::string text = arguments.value(option);
  if (const auto age = parse_duration(text)) return now - *age;
  if (const auto time = parse_time(text)) return time;
  throw UsageError("--" + std::string(option) + " " + text +
                   ": no time; write 2026-11-23, '2026-11-23 16:06' or an age such as 2h");
}

bool all_match(const std::vector<Match>& all, const Alert& alert) {
  return std::all_of(all.begin(), all.end(), [&alert](const Match& match) { return matches(match, alert); });
}

}  // namespace

std::vector<OptionSpec> with_filter_options(std::vector<OptionSpec> own) {
  own.insert(own.begin(), kFilterOptions.begin(), kFilterOptions.end());
  return own;
}

bool has_filter(const Arguments& arguments) {
  return std::any_of(kFilterOptions.begin(), kFilterOptions.end(), [&arguments](const OptionSpec& option) {
    return std::string_view(option.name) != "action" && arguments.has(option.name);
  });
}

Selection selection_of(const Arguments& arguments, WallTime now) {
  Selection selection;
  Filter& filter = selection.filter;
  filter.state = arguments.value("state");
  check_state(filter.state);
  filter.action = arguments.value("action");
  filter.alarm = arguments.value("alarm");
  filter.token = arguments.value("token");
  filter.since = time_of(arguments, "since", now);
  filter.until = time_of(arguments, "until", now);
  filter.limit = kPage;
  for (const std::string& line : arguments.values("match")) {
    const std::variant<Match, std::string> match = parse_match(line);
    if (const std::string* why = std::get_if<std::string>(&match))
      throw UsageError("--match '" + line + "': " + *why + "; write --match 'FIELD GLOB...'");
    selection.matches.push_back(std::get<Match>(match));
  }
  return selection;
}

void for_each(Store& store, const Selection& selection, const std::function<bool(const Record&, const Alert&)>& each) {
  Filter filter = selection.filter;
  for (std::vector<Record> page;;) {
    page = store.list(filter);
    for (const Record& record : page) {
      const Alert alert = alert_of(record.callback);
      if (all_match(selection.matches, alert) && !each(record, alert)) return;
    }
    if (page.size() < static_cast<std::size_t>(filter.limit)) return;
    filter.before_id = page.back().id;
  }
}

std::vector<std::int64_t> ids_of(const Arguments& arguments) {
  std::vector<std::int64_t> ids;
  for (const std::string& text : arguments.positional) {
    const std::optional<std::uint64_t> number = parse_number(text);
    if (!number || *number > std::uint64_t{INT64_MAX})
      throw UsageError("'" + text + "' is no alert's id; alertspool list shows them");
    ids.push_back(static_cast<std::int64_t>(*number));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace alertspool
