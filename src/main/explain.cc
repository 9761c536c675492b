/// explain: what would happen to a body. Runs what the receiver runs, opens no spool, starts nothing.

#include "alert/authorise.h"
#include "alert/environment.h"
#include "alert/json.h"
#include "alert/line.h"
#include "base/fd.h"
#include "base/text.h"
#include "main/operator.h"
#include "main/sample.h"
#include "store/view.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <set>

namespace alertspool {
namespace {

constexpr std::size_t kMaxRead = 64U << 20U;  // above every max-body, so that the answer is 413 and no read error

struct Explained {
  int status = 0;
  std::string reason;
  Alert alert;
};

struct ActionExplained {
  const ActionConfig& config;
  std::string why;  ///< empty: it takes the alert
  Fields environment;
  std::string line;
};

std::string body_of(const Arguments& arguments) {
  if (arguments.positional.size() > 1) throw UsageError("explain takes one FILE, or the body on standard input");
  if (!arguments.positional.empty() && arguments.positional[0] != "-")
    return read_file(arguments.positional[0], kMaxRead);
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

Request request_of(const Arguments& arguments, const Config& config) {
  const std::string body = body_of(arguments), url = arguments.value("url");
  const char* type = trim(body).starts_with('{') ? "application/json" : "application/x-www-form-urlencoded";
  Request request =
      callback_request(arguments.has("from") ? arguments.value("from") : config.access.allow.at(0).network.text(),
                       arguments.has("type") ? arguments.value("type") : type, body);
  // The query alone, also from a whole URL as it stands in the console.
  const bool whole = url.starts_with("http://") || url.starts_with("https://");
  request.query_string = whole ? url.substr(std::min(url.find('?'), url.size() - 1) + 1) : url;
  return request;
}

/// The alert is decoded whatever the answer is: who mistyped a token wants to see the rest too.
Explained explain(const Config& config, const Request& request, WallTime now) {
  const Verdict verdict = authorise(config.access, request.remote_addr, parse_query(request.query_string));
  Explained explained;
  explained.alert =
      alert_of({now, verdict.address, verdict.token, request.query_string, request.content_type, request.body});
  const std::optional<Decision> refused = receive_head(config.receiver(), request);
  const Decision decision = refused ? *refused : receive(config.receiver(), request, now);
  const Response response = decision.kind == Decision::Kind::store ? answer_stored(decision, Put{}) : decision.response;
  explained.status = response.status;
  if (response.status != 200) explained.reason = decision.refused ? decision.refused->detail : response.body;
  return explained;
}

ActionExplained explain_action(const ActionConfig& action, const Alert& alert, WallTime now) {
  ActionExplained view{action, alert.pairs.empty() ? "it cannot be decoded" : why_not(action.route, alert), {}, ""};
  if (action.type == ActionConfig::Type::syslog) {
    view.line = syslog_line(0, false, alert);
    return view;
  }
  const Stored stored{0, to_rfc3339(now), false};
  for (const std::string& variable : environment(stored, {action.route.action, 1}, alert, base_environment(environ))) {
    const std::size_t equals = variable.find('=');
    view.environment.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return view;
}

void print_json(const Explained& explained, const std::vector<ActionExplained>& actions) {
  const Alert& alert = explained.alert;
  std::vector<std::string> pairs, flags, views;
  for (const auto& [name, value] : alert.pairs) pairs.push_back(json_array({json_string(name), json_string(value)}));
  for (const std::string& flag : alert.flags) flags.push_back(json_string(flag));
  for (const ActionExplained& action : actions)
    views.push_back(json_object({{"name", json_string(action.config.route.action)},
                                 {"matches", action.why.empty() ? "true" : "false"},
                                 {"why", json_string(action.why)},
                                 {"env", json_fields(action.environment)},
                                 {"line", json_string(action.line)}}));
  std::cout << json_object({{"status", std::to_string(explained.status)},
                            {"reason", json_string(explained.reason)},
                            {"pairs", json_array(pairs)},
                            {"fields", json_fields(alert.fields)},
                            {"flags", json_array(flags)},
                            {"alarm", json_string(alert.alarm)},
                            {"digest", json_string(alert.digest)},
                            {"actions", json_array(views)}})
            << '\n';
}

void print_alert(const Explained& explained) {
  const Alert& alert = explained.alert;
  Fields facts{{"answer", std::to_string(explained.status) + (explained.status == 200 ? " (it would be stored)" : "")},
               {"reason", explained.reason},
               {"alarm", alert.alarm},
               {"change", fires(alert)    ? "fires"
                          : clears(alert) ? "clears"
                                          : ""},
               {"severity", alert.severity},
               {"time", alert.time_ms ? to_local(WallTime(milliseconds(*alert.time_ms))) : ""},
               {"digest", alert.digest},
               {"from", alert.origin.remote_addr},
               {"token", alert.origin.token}};
  for (const std::string& flag : alert.flags) facts.emplace_back("flag", flag);
  Fields pairs;
  std::set<std::string> seen;
  for (const auto& [name, value] : alert.pairs)
    pairs.emplace_back(seen.insert(name).second ? name : name + " (repeated, does not count)", value);
  std::cout << aligned_facts(facts) << "\nfields\n" << aligned(pairs);
}

void print_action(const ActionExplained& action) {
  const bool takes = action.why.empty();
  std::cout << "\naction " << action.config.route.action << (takes ? ": takes it\n" : ": does not take it\n");
  if (takes)
    std::cout << aligned(action.environment) << (action.line.empty() ? "" : "  " + action.line + "\n");
  else
    std::cout << "  " << escape_controls(action.why)
              << (action.config.route.follow ? "\n  unless it took the ALERT of this alarm (follow = yes)\n" : "\n");
}

int run(const Arguments& arguments) {
  const Config config = config_of(arguments);
  const WallTime now = SystemClock().wall();
  const Explained explained = explain(config, request_of(arguments, config), now);
  std::vector<ActionExplained> actions;
  for (const ActionConfig& action : config.actions) actions.push_back(explain_action(action, explained.alert, now));
  if (arguments.has("json")) {
    print_json(explained, actions);
    return kOk;
  }
  print_alert(explained);
  for (const ActionExplained& action : actions) print_action(action);
  return kOk;
}

}  // namespace

const Verb kExplainVerb{"explain",
                        "[FILE]",
                        "what would happen to this body; stores nothing, runs nothing",
                        {{"from", "ADDR", "the sender's address; default: the first that is allowed"},
                         {"url", "QUERY", "what follows ? in the callback URL, or the whole URL"},
                         {"type", "CONTENT-TYPE", "default: JSON when the body begins with {, else urlencoded"},
                         {"json", "", "one JSON object"}},
                        run};

}  // namespace alertspool
