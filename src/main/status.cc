/// status: how the spool is, said as a monitoring plugin says it: the first line and the exit code are for the monitor,
/// the tables for people.

#include "alert/json.h"
#include "base/text.h"
#include "main/operator.h"
#include "main/table.h"
#include "main/verb.h"
#include "store/store.h"

#include <algorithm>
#include <array>
#include <iostream>

namespace alertspool {
namespace {

enum Level { kFine = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };
constexpr std::array<const char*, 4> kLevels{"OK", "WARNING", "CRITICAL", "UNKNOWN"};

struct Limits {
  milliseconds warn_age, crit_age, max_silence;
};

struct Report {
  Level level = kFine;
  std::string summary;
  std::vector<std::string> problems;

  void raise(Level at_least, std::string problem) {
    level = std::max(level, at_least);
    problems.push_back(std::move(problem));
  }
  std::string first_line() const {
    std::string line = std::string(kLevels.at(level)) + " - " + summary;
    for (const std::string& problem : problems) line += "; " + escape_controls(problem);
    return line;
  }
};

milliseconds duration_of(const Arguments& arguments, const char* option, milliseconds fallback) {
  if (!arguments.has(option)) return fallback;
  if (const auto duration = parse_duration(arguments.value(option))) return *duration;
  throw UsageError("--" + std::string(option) + " " + arguments.value(option) +
                   ": no duration; write 30s, 5m, 2h or 7d");
}

bool waits(const StateCount& count) {
  return count.state == "pending" || count.state == "running";
}

std::int64_t sum(const Status& status, auto&& counts) {
  std::int64_t total = 0;
  for (const StateCount& count : status.deliveries) total += counts(count) ? count.count : 0;
  return total;
}

void judge_deliveries(Report& report, const Status& status, const Config& config, const Limits& limits, WallTime now) {
  const milliseconds age = status.oldest_waiting ? now - *status.oldest_waiting : milliseconds(0);
  if (age > limits.warn_age)
    report.raise(age > limits.crit_age ? kCritical : kWarning, "the oldest waits for " + age_text(age));
  for (const StateCount& count : status.deliveries) {
    const bool known = std::any_of(config.actions.begin(), config.actions.end(), [&count](const ActionConfig& action) {
      return action.route.action == count.action;
    });
    const std::string what = std::to_string(count.count) + ' ' + count.state + " for action " + count.action;
    if (count.state == "failed" && count.count > 0) report.raise(kWarning, what);
    if (waits(count) && count.count > 0 && !known) report.raise(kWarning, what + ", which is not configured");
  }
  if (sum(status, waits) > 0 && !deliverer_alive(status, host_name(), now))
    report.raise(kWarning, "no deliverer is alive");
}

/// A spool that never got a callback, or whose last one is purged, is silent since its receiver started.
void judge_sender(Report& report, const Status& status, const Limits& limits, WallTime now) {
  std::optional<WallTime> since = status.last_callback;
  if (!since)
    for (const ProcessInfo& process : status.processes)
      if (process.role == "receiver") since = std::min(process.started, since.value_or(process.started));
  if (since && now - *since > limits.max_silence) report.raise(kWarning, "no callback for " + age_text(now - *since));
  for (const RefusalCount& refusal : status.refusals)
    if (refusal.allowed_address && now - refusal.last <= std::chrono::days(1))
      report.raise(kWarning, "refused from allowed address " + refusal.address + " (" + refusal.reason + ") " +
                                 age_text(now - refusal.last) + " ago");
}

void judge_processes(Report& report, const Status& status, const std::string& this_host, WallTime now) {
  for (std::size_t i = 0; i < status.processes.size(); ++i) {
    const ProcessInfo& process = status.processes[i];
    if (!process.note.empty() && life_of(process, status.heard[i], this_host, now) != Life::dead)
      report.raise(kWarning, process.role + " " + std::to_string(process.pid) + ": " + process.note);
  }
}

Report judge(const Status& status, const Config& config, const Limits& limits, WallTime now) {
  const auto failed = [](const StateCount& count) { return count.state == "failed"; };
  Report report;
  report.summary = std::to_string(sum(status, waits)) + " waiting, " + std::to_string(sum(status, failed)) +
                   " failed, " +
                   (status.last_callback ? "last callback " + age_text(now - *status.last_callback) + " ago"
                                         : std::string("no callback yet"));
  judge_deliveries(report, status, config, limits, now);
  judge_sender(report, status, limits, now);
  judge_processes(report, status, host_name(), now);
  return report;
}

void print_tables(const Status& status, const std::string& this_host, WallTime now) {
  Table deliveries({{"ACTION"}, {"STATE"}, {"COUNT", true}});
  for (const StateCount& count : status.deliveries)
    deliveries.add({count.action, count.state, std::to_string(count.count)});
  Table refusals({{"REFUSED"}, {"COUNT", true}, {"LAST"}, {"ADDRESS", false, true}, {"ALLOWED"}});
  for (const RefusalCount& refusal : status.refusals)
    refusals.add({refusal.reason, std::to_string(refusal.count), to_local(refusal.last), refusal.address,
                  refusal.allowed_address ? "yes" : "no"});
  Table processes({{"PROCESS"},
                   {"HOST", false, true},
                   {"PID", true},
                   {"STARTED"},
                   {"HEARD", true},
                   {"LIFE"},
                   {"NOTE", false, true}});
  static constexpr std::array<const char*, 3> kLives{"alive", "?", "dead"};
  for (std::size_t i = 0; i < status.processes.size(); ++i) {
    const ProcessInfo& process = status.processes[i];
    const Life life = life_of(process, status.heard[i], this_host, now);
    processes.add({process.role, process.host, std::to_string(process.pid), to_local(process.started),
                   age_text(now - status.heard[i]), kLives.at(static_cast<std::size_t>(life)), process.note});
  }
  Fields facts{{"alerts", std::to_string(status.alerts)},
               {"unmatched", std::to_string(status.unmatched)},
               {"undecodable", std::to_string(status.undecodable)}};
  if (status.oldest_waiting) facts.emplace_back("oldest waiting", to_local(*status.oldest_waiting));
  if (status.last_callback) facts.emplace_back("last callback", to_local(*status.last_callback));
  std::cout << aligned(facts);
  for (const Table* table : {&deliveries, &refusals, &processes})
    if (table->size() > 0) std::cout << '\n' << table->text(screen_width());
}

std::string time_or_null(const std::optional<WallTime>& time) {
  return time ? json_string(to_rfc3339(*time)) : "null";
}

/// One object for each of `values`.
template <class Value, class Members>
std::string objects(const std::vector<Value>& values, Members members) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < values.size(); ++i) texts.push_back(json_object(members(values[i], i)));
  return json_array(texts);
}

std::string to_json(const Report& report, const Status& status, const std::string& this_host, WallTime now) {
  using Members = std::vector<JsonMember>;
  std::vector<std::string> problems;
  for (const std::string& problem : report.problems) problems.push_back(json_string(problem));
  const auto delivery = [](const StateCount& count, std::size_t) -> Members {
    return {{"action", json_string(count.action)},
            {"state", json_string(count.state)},
            {"count", std::to_string(count.count)}};
  };
  const auto refusal = [](const RefusalCount& refused, std::size_t) -> Members {
    return {{"reason", json_string(refused.reason)},
            {"count", std::to_string(refused.count)},
            {"last", time_or_null(refused.last)},
            {"address", json_string(refused.address)},
            {"allowed_address", refused.allowed_address ? "true" : "false"}};
  };
  const auto process = [&](const ProcessInfo& info, std::size_t i) -> Members {
    return {{"role", json_string(info.role)},
            {"host", json_string(info.host)},
            {"pid", std::to_string(info.pid)},
            {"started", time_or_null(info.started)},
            {"heard", time_or_null(status.heard[i])},
            {"alive", life_of(info, status.heard[i], this_host, now) == Life::alive ? "true" : "false"},
            {"note", json_string(info.note)}};
  };
  return json_object({{"status", json_string(kLevels.at(report.level))},
                      {"summary", json_string(report.summary)},
                      {"problems", json_array(problems)},
                      {"alerts", std::to_string(status.alerts)},
                      {"unmatched", std::to_string(status.unmatched)},
                      {"undecodable", std::to_string(status.undecodable)},
                      {"oldest_waiting", time_or_null(status.oldest_waiting)},
                      {"last_callback", time_or_null(status.last_callback)},
                      {"deliveries", objects(status.deliveries, delivery)},
                      {"refusals", objects(status.refusals, refusal)},
                      {"processes", objects(status.processes, process)}});
}

/// Without a configuration or a spool there is nothing but the first line to say.
int say_unreadable(Level level, std::string_view what, bool json) {
  const std::string summary = escape_controls(what.substr(0, what.find('\n')));
  if (json)
    std::cout << json_object({{"status", json_string(kLevels.at(level))}, {"summary", json_string(summary)}}) << '\n';
  else
    std::cout << kLevels.at(level) << " - " << summary << '\n';
  return level;
}

int report_on(const Config& config, const Limits& limits, bool json) {
  const SystemClock clock;
  const Status status = Store(config.store, StoreUse::read, clock).status();
  const WallTime now = clock.wall();
  const std::string this_host = host_name();
  const Report report = judge(status, config, limits, now);
  if (json) {
    std::cout << to_json(report, status, this_host, now) << '\n';
  } else {
    std::cout << report.first_line() << '\n';
    print_tables(status, this_host, now);
  }
  return report.level;
}

int run(const Arguments& arguments) {
  const Limits limits{duration_of(arguments, "warn-age", std::chrono::minutes(5)),
                      duration_of(arguments, "crit-age", std::chrono::minutes(30)),
                      duration_of(arguments, "max-silence", std::chrono::days(7))};
  const bool json = arguments.has("json");
  try {
    return report_on(config_of(arguments, Secrets::leave), limits, json);
  } catch (const ConfigError& error) {
    return say_unreadable(kUnknown, error.what(), json);
  } catch (const StoreError& error) {
    return say_unreadable(kCritical, error.what(), json);
  }
}

}  // namespace

const Verb kStatusVerb{"status",
                       "",
                       "how the spool is; exits 0, 1 or 2 as monitoring plugins do",
                       {{"json", "", "one JSON object"},
                        {"warn-age", "DURATION", "WARNING when an alert waits longer, default 5m"},
                        {"crit-age", "DURATION", "CRITICAL when an alert waits longer, default 30m"},
                        {"max-silence", "DURATION", "WARNING when no callback came for longer, default 7d"}},
                       run};

}  // namespace alertspool
