/// status: how the spool is, said as a monitoring plugin says it: the first line and the exit code are for the monitor,
/// the rest for people.

#include "alert/json.h"
#include "base/text.h"
#include "main/operator.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <map>

namespace alertspool {
namespace {

enum Level { kFine = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };
constexpr std::array<const char*, 4> kLevels{"OK", "WARNING", "CRITICAL", "UNKNOWN"};
constexpr std::array<const char*, 3> kLives{"alive", "not heard", "dead"};

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
};

/// Counts and judges what waits and what failed.
void judge_deliveries(Report& report, const Status& status, const Config& config, const Limits& limits) {
  std::int64_t waiting = 0, failed = 0;
  const milliseconds age = status.oldest_waiting ? status.now - *status.oldest_waiting : milliseconds(0);
  if (age > limits.warn_age)
    report.raise(age > limits.crit_age ? kCritical : kWarning, "the oldest waits for " + age_text(age));
  for (const StateCount& count : status.deliveries) {
    const std::string what = std::to_string(count.count) + ' ' + count.state + " for action " + count.action;
    if (count.state == "failed") {
      failed += count.count;
      report.raise(kWarning, what);
    } else if (count.state == "pending" || count.state == "running") {
      waiting += count.count;
      if (std::ranges::find(config.actions, count.action, [](const auto& each) { return each.route.action; }) ==
          config.actions.end())
        report.raise(kWarning, what + ", which is not configured");
    }
  }
  if (waiting > 0 && !deliverer_alive(status)) report.raise(kWarning, "no deliverer is alive");
  report.summary = std::to_string(waiting) + " waiting, " + std::to_string(failed) + " failed, " +
                   (status.last_callback ? "last callback " + age_text(status.now - *status.last_callback) + " ago"
                                         : "no callback yet");
}

/// A spool that never got a callback, or whose last one is purged, is silent since its receiver started.
void judge_sender(Report& report, const Status& status, const Limits& limits) {
  std::optional<WallTime> since = status.last_callback;
  if (!since)
    for (const ProcessInfo& process : status.processes)
      if (process.role == "receiver") since = std::min(process.started, since.value_or(process.started));
  if (since && status.now - *since > limits.max_silence)
    report.raise(kWarning, "no callback for " + age_text(status.now - *since));
  for (const RefusalCount& refusal : status.refusals)
    if (refusal.allowed_address && status.now - refusal.last <= std::chrono::days(1))
      report.raise(kWarning, "refused from allowed address " + refusal.address + " (" + refusal.reason + ") " +
                                 age_text(status.now - refusal.last) + " ago");
}

/// Each machine has a configuration of its own. Where two differ it is chance what an alert comes to; so it is when
/// only some receivers have an action. A deliverer may have fewer.
void judge_agreement(Report& report, const Status& status) {
  std::vector<const ProcessInfo*> alive;
  std::map<std::string, std::map<std::string, std::string>> users;  // by action and its digest: one of them
  const auto note = [&](const std::string& action, const std::string& digest, const ProcessInfo& user) {
    users[action][digest] = user.role + " on " + user.host;
  };
  for (const HeardProcess& process : status.processes) {
    if (life_of(process, host_name(), status.now) != Life::alive) continue;
    alive.push_back(&process);
    for (const std::string& action : split(process.actions, ' '))
      note(action.substr(0, action.find(':')), action.substr(action.find(':') + 1), process);
  }
  for (const auto& [action, digests] : users) {
    for (const ProcessInfo* process : alive)
      if (process->role == "receiver" && (' ' + process->actions).find(' ' + action + ':') == std::string::npos)
        note(action, "", *process);
    if (digests.size() > 1)
      report.raise(kWarning, "action " + action + " is not the same for " + digests.begin()->second + " and " +
                                 digests.rbegin()->second);
  }
}

Report judge(const Status& status, const Config& config, const Limits& limits) {
  Report report;
  judge_deliveries(report, status, config, limits);
  judge_sender(report, status, limits);
  judge_agreement(report, status);
  for (const HeardProcess& process : status.processes)
    if (!process.note.empty() && life_of(process, host_name(), status.now) != Life::dead)
      report.raise(kWarning, process.role + " " + std::to_string(process.pid) + ": " + process.note);
  return report;
}

using Texts = std::vector<std::string>;

/// A title and a line for each value, when there is any. The widths make 80 columns at most.
template <class Value>
void print_rows(std::vector<Cell> cells, const std::vector<Value>& values, const auto& texts_of) {
  if (!values.empty()) std::cout << '\n' << line_of(cells);
  for (const Value& value : values) {
    const Texts texts = texts_of(value);
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i].text = texts[i];
    std::cout << line_of(cells);
  }
}

void print(const Report& report, const Status& status) {
  std::cout << kLevels.at(report.level) << " - " << report.summary;
  for (const std::string& problem : report.problems) std::cout << "; " << escape_controls(problem);
  Fields rows{{"alerts", std::to_string(status.alerts)},
              {"unmatched", std::to_string(status.unmatched)},
              {"undecodable", std::to_string(status.undecodable)},
              {"oldest waiting", status.oldest_waiting ? to_local(*status.oldest_waiting) : "none"},
              {"last callback", status.last_callback ? to_local(*status.last_callback) : "none"}};
  std::cout << '\n' << aligned(rows);
  print_rows({{"COUNT", 8, true}, {"STATE", 11}, {"ACTION", 59}}, status.deliveries, [](const StateCount& count) {
    return Texts{std::to_string(count.count), count.state, count.action};
  });
  print_rows({{"REFUSED", 12}, {"COUNT", 10, true}, {"LAST", 25}, {"FROM", 30}}, status.refusals,
             [](const RefusalCount& refusal) {
               return Texts{refusal.reason, std::to_string(refusal.count), to_local(refusal.last),
                            (refusal.allowed_address ? "allowed " : "") + refusal.address};
             });
  print_rows({{"PROCESS", 9}, {"LIFE", 9}, {"PID", 8, true}, {"STARTED", 25}, {"HEARD", 6}, {"HOST", 18}},
             status.processes, [&](const HeardProcess& process) {
               const Life life = life_of(process, host_name(), status.now);
               return Texts{process.role,
                            kLives.at(static_cast<std::size_t>(life)),
                            std::to_string(process.pid),
                            to_local(process.started),
                            age_text(status.now - process.heard),
                            process.host};
             });
}

std::string time_or_null(const std::optional<WallTime>& time) {
  return time ? json_string(to_rfc3339(*time)) : "null";
}

void print_json(const Report& report, const Status& status) {
  std::vector<std::string> problems, deliveries, refusals, processes;
  for (const std::string& problem : report.problems) problems.push_back(json_string(problem));
  for (const StateCount& count : status.deliveries)
    deliveries.push_back(json_object({{"action", json_string(count.action)},
                                      {"state", json_string(count.state)},
                                      {"count", std::to_string(count.count)}}));
  for (const RefusalCount& refusal : status.refusals)
    refusals.push_back(json_object({{"reason", json_string(refusal.reason)},
                                    {"count", std::to_string(refusal.count)},
                                    {"last", time_or_null(refusal.last)},
                                    {"address", json_string(refusal.address)},
                                    {"allowed_address", refusal.allowed_address ? "true" : "false"}}));
  for (const HeardProcess& process : status.processes) {
    const bool alive = life_of(process, host_name(), status.now) == Life::alive;
    processes.push_back(json_object({{"role", json_string(process.role)},
                                     {"host", json_string(process.host)},
                                     {"pid", std::to_string(process.pid)},
                                     {"started", time_or_null(process.started)},
                                     {"heard", time_or_null(process.heard)},
                                     {"alive", alive ? "true" : "false"},
                                     {"actions", json_string(process.actions)},
                                     {"note", json_string(process.note)}}));
  }
  std::cout << json_object({{"status", json_string(kLevels.at(report.level))},
                            {"summary", json_string(report.summary)},
                            {"problems", json_array(problems)},
                            {"alerts", std::to_string(status.alerts)},
                            {"unmatched", std::to_string(status.unmatched)},
                            {"undecodable", std::to_string(status.undecodable)},
                            {"oldest_waiting", time_or_null(status.oldest_waiting)},
                            {"last_callback", time_or_null(status.last_callback)},
                            {"deliveries", json_array(deliveries)},
                            {"refusals", json_array(refusals)},
                            {"processes", json_array(processes)}})
            << '\n';
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

int run(const Arguments& arguments) {
  const Limits limits{duration_of(arguments, "warn-age", "5m"), duration_of(arguments, "crit-age", "30m"),
                      duration_of(arguments, "max-silence", "7d")};
  const bool json = arguments.has("json");
  try {
    OpenSpool spool(arguments, StoreUse::read);
    const Status status = spool.store.status();
    const Report report = judge(status, spool.config, limits);
    json ? print_json(report, status) : print(report, status);
    return report.level;
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
