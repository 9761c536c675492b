#include "main/operator.h"

#include "base/text.h"
#include "store/view.h"

#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>
#include <wchar.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iostream>

namespace alertspool {

namespace {

const std::vector<std::string> kStates{"pending", "running",   "delivered",  "failed",
                                       "dropped", "unmatched", "undecodable"};

std::optional<WallTime> time_of(const Arguments& arguments, const char* option, WallTime now) {
  if (!arguments.has(option)) return std::nullopt;
  const std::string text = arguments.value(option);
  if (const auto age = parse_duration(text)) return now - *age;
  if (const auto time = parse_time(text)) return time;
  throw UsageError("--" + std::string(option) + " " + text +
                   ": no time; write 2026-11-23, '2026-11-23 16:06' or an age such as 2h");
}

/// Columns on a terminal. A character that the C library does not know counts as a wide one: no line gets too long.
std::size_t width_of(std::u32string_view text) {
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  const locale_t before = uselocale(utf8);
  std::size_t columns = 0;
  for (const char32_t c : text) {
    const int width = wcwidth(static_cast<wchar_t>(c));
    columns += width < 0 ? 2 : static_cast<std::size_t>(width);
  }
  uselocale(before);
  return columns;
}

std::string blanks_beside(std::string_view text, std::size_t width) {
  return std::string(width - width_of(code_points(text)), ' ');
}

std::string cut(std::string text, std::size_t width) {
  const std::u32string points = code_points(text);
  if (width_of(points) <= width) return text;
  std::size_t bytes = 0, used = width_of(U"…");
  for (const char32_t c : points) {
    used += width_of({&c, 1});
    if (used > width) break;
    bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  }
  return text.erase(bytes) + "…";
}

}  // namespace

OpenSpool::OpenSpool(const Arguments& arguments, StoreUse use)
    : config(config_of(arguments, Secrets::leave)), store(config.store, use, clock) {}

std::optional<Record> OpenSpool::record(std::int64_t id) {
  std::optional<Record> record = store.show(id);
  if (!record) std::cerr << "alertspool: there is no alert " << id << "; nothing was done\n";
  return record;
}

std::vector<OptionSpec> with_filter_options(const std::vector<OptionSpec>& own) {
  std::vector<OptionSpec> all{
      {"state", "STATE", "alerts in this state: pending, running, delivered, failed, dropped, unmatched, undecodable"},
      {"action", "NAME", "alerts with a delivery of this action"},
      {"alarm", "ID", "alerts of this alarm"},
      {"token", "NAME", "alerts that came with this token"},
      {"since", "TIME", "received at this time or later: 2026-11-23, '2026-11-23 16:06', or an age such as 2h"},
      {"until", "TIME", "received before this time"},
      {"match", "'FIELD GLOB'", "alerts that a match line of an action would take; repeatable, all must match"}};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Selection selection_of(const Arguments& arguments, WallTime now) {
  Selection selection;
  Filter& filter = selection.filter;
  filter.state = arguments.value("state");
  if (!filter.state.empty() && std::ranges::find(kStates, filter.state) == kStates.end())
    throw UsageError("--state " + filter.state + ": no such state; alertspool list --help names them");
  filter.action = arguments.value("action");
  filter.alarm = arguments.value("alarm");
  filter.token = arguments.value("token");
  filter.since = time_of(arguments, "since", now);
  filter.until = time_of(arguments, "until", now);
  for (const std::string& line : arguments.values("match")) {
    const std::variant<Match, std::string> match = parse_match(line);
    if (const std::string* why = std::get_if<std::string>(&match)) throw UsageError("--match '" + line + "': " + *why);
    selection.matches.push_back(std::get<Match>(match));
  }
  return selection;
}

void for_each(Store& store, const Selection& selection, const std::function<bool(const Record&, const Alert&)>& each) {
  store.list(selection.filter, [&](const Record& record) {
    const Alert alert = alert_of(record.callback);
    const auto holds = [&](const Match& match) { return matches(match, alert); };
    return !std::ranges::all_of(selection.matches, holds) || each(record, alert);
  });
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

std::string operator_name() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

milliseconds duration_of(const Arguments& arguments, const char* option, const char* fallback) {
  const std::string text = arguments.value(option, fallback);
  if (const auto duration = parse_duration(text)) return *duration;
  throw UsageError("--" + std::string(option) + " " + text + ": no duration; write 30s, 5m or 7d");
}

Life life_of(const HeardProcess& process, const std::string& this_host, WallTime now) noexcept {
  if (now - process.heard <= std::chrono::seconds(30)) return Life::alive;
  if (process.host != this_host || process.pid <= 0) return Life::unknown;
  return kill(process.pid, 0) == 0 || errno == EPERM ? Life::alive : Life::dead;
}

bool deliverer_alive(const Status& status) {
  return std::ranges::any_of(status.processes, [&](const HeardProcess& process) {
    return process.role == "deliverer" && life_of(process, host_name(), status.now) == Life::alive;
  });
}

std::string age_text(milliseconds age) {
  using namespace std::chrono;
  for (const milliseconds unit : {milliseconds(days(1)), milliseconds(hours(1)), milliseconds(minutes(1))})
    if (age >= unit) return to_text(age - age % unit);
  return std::to_string(std::max<std::int64_t>(0, duration_cast<seconds>(age).count())) + "s";
}

std::string line_of(const std::vector<Cell>& cells) {
  std::string line;
  for (const Cell& cell : cells) {
    const std::string text = cut(escape_controls(cell.text), cell.width);
    const std::string blanks = blanks_beside(text, cell.width);
    if (!line.empty()) line += ' ';
    const std::string shown = *cell.colour == '\0' ? text : cell.colour + text + "\033[0m";
    line += cell.number ? blanks + shown : shown + blanks;
  }
  return line.erase(line.find_last_not_of(' ') + 1) + '\n';
}

std::string aligned(const Fields& rows) {
  std::size_t longest = 0;
  for (const Field& row : rows) longest = std::max(longest, width_of(code_points(escape_controls(row.first))));
  std::string text;
  for (const auto& [name, value] : rows) {
    const std::string shown = escape_controls(name);
    text += "  " + shown + blanks_beside(shown, longest) + "  " + escape_controls(value) + '\n';
  }
  return text;
}

void print_alert(const Alert& alert, Fields facts) {
  facts.emplace_back("sent", alert.time_ms ? to_local(WallTime(milliseconds(*alert.time_ms))) : "");
  facts.emplace_back("severity", alert.severity);
  facts.emplace_back("alarm", alert.alarm);
  facts.emplace_back("change", fires(alert) ? "fires" : clears(alert) ? "clears" : "");
  facts.emplace_back("digest", alert.digest);
  for (const std::string& flag : alert.flags) facts.emplace_back("flag", flag);
  std::erase_if(facts, [](const Field& fact) { return fact.second.empty(); });
  Fields fields = alert.fields;
  for (auto& [name, value] : fields)
    if (name == "signature") value = "***";
  std::cout << aligned(facts) << "\nfields\n" << aligned(fields);
}

}  // namespace alertspool
