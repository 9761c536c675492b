#include "main/filter.h"

#include "base/text.h"
#include "store/store.h"
#include "store/view.h"

#include <algorithm>

namespace alertspool {
namespace {

constexpr int kPage = 100;

const std::vector<std::string> kStates{"pending", "running",   "delivered",  "failed",
                                       "dropped", "unmatched", "undecodable"};

std::string state_of(const Arguments& arguments) {
  const std::string state = arguments.value("state");
  if (state.empty() || std::find(kStates.begin(), kStates.end(), state) != kStates.end()) return state;
  throw UsageError("--state " + state + ": no such state; alertspool list --help names them");
}

std::optional<WallTime> time_of(const Arguments& arguments, const char* option, WallTime now) {
  if (!arguments.has(option)) return std::nullopt;
  const std::string text = arguments.value(option);
  if (const auto age = parse_duration(text)) return now - *age;
  if (const auto time = parse_time(text)) return time;
  throw UsageError("--" + std::string(option) + " " + text +
                   ": no time; write 2026-11-23, '2026-11-23 16:06' or an age such as 2h");
}

}  // namespace

std::vector<OptionSpec> with_filter_options(std::vector<OptionSpec> own) {
  const std::vector<OptionSpec> filter{
      {"state", "STATE", "alerts in this state: pending, running, delivered, failed, dropped, unmatched, undecodable"},
      {"action", "NAME", "alerts with a delivery of this action"},
      {"alarm", "ID", "alerts of this alarm"},
      {"token", "NAME", "alerts that came with this token"},
      {"since", "TIME", "received at this time or later: 2026-11-23, '2026-11-23 16:06', or an age such as 2h"},
      {"until", "TIME", "received before this time"},
      {"match", "'FIELD GLOB'", "alerts that a match line of an action would take; repeatable, all must match"}};
  own.insert(own.begin(), filter.begin(), filter.end());
  return own;
}

bool has_filter(const Arguments& arguments) {
  const auto all = with_filter_options({});
  return std::any_of(all.begin(), all.end(), [&](const OptionSpec& option) {
    return std::string_view(option.name) != "action" && arguments.has(option.name);
  });
}

Selection selection_of(const Arguments& arguments, WallTime now) {
  Selection selection;
  Filter& filter = selection.filter;
  filter.state = state_of(arguments);
  filter.action = arguments.value("action");
  filter.alarm = arguments.value("alarm");
  filter.token = arguments.value("token");
  filter.since = time_of(arguments, "since", now);
  filter.until = time_of(arguments, "until", now);
  filter.limit = kPage;
  for (const std::string& line : arguments.values("match")) {
    const std::variant<Match, std::string> match = parse_match(line);
    if (const std::string* why = std::get_if<std::string>(&match)) throw UsageError("--match '" + line + "': " + *why);
    selection.matches.push_back(std::get<Match>(match));
  }
  return selection;
}

void for_each(Store& store, const Selection& selection, const std::function<bool(const Record&, const Alert&)>& each) {
  const auto& all = selection.matches;
  Filter filter = selection.filter;
  for (std::vector<Record> page;;) {
    page = store.list(filter);
    for (const Record& record : page) {
      const Alert alert = alert_of(record.callback);
      const auto holds = [&](const Match& match) { return matches(match, alert); };
      if (std::all_of(all.begin(), all.end(), holds) && !each(record, alert)) return;
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
