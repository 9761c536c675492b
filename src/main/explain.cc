/// explain: what would happen to a body. Runs what the receiver runs, opens no spool, starts nothing.

#include "alert/authorise.h"
#include "alert/environment.h"
#include "alert/json.h"
#include "alert/line.h"
#include "base/fd.h"
#include "base/text.h"
#include "main/operator.h"
#include "store/view.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

namespace alertspool {
namespace {

constexpr std::size_t kMaxRead = 64U << 20U;  // above every max-body, so that the answer is 413 and no read error

struct ActionExplained {
  const ActionConfig& config;
  std::string why;  ///< empty: it takes the alert
  Fields environment;
  std::string line;
};

struct Explained {
  int status = 0;
  std::string reason;
  Alert alert;
  std::vector<ActionExplained> actions;
};

Request request_of(const Arguments& arguments, const Config& config) {
  const auto& files = arguments.positional;
  if (files.size() > 1) throw UsageError("explain takes one FILE, or the body on standard input");
  const std::string body = files.empty() || files[0] == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                            : read_file(files[0], kMaxRead);
  const char* type = trim(body).starts_with('{') ? "application/json" : "application/x-www-form-urlencoded";
  Request request = callback_request(arguments.value("from", config.access.allow.at(0).network.text()),
                                     arguments.value("type", type), body);
  // The query alone, also from a whole URL as it stands in the console.
  const std::string url = arguments.value("url");
  const bool whole = url.starts_with("http://") || url.starts_with("https://");
  request.query_string = whole ? url.substr(std::min(url.find('?'), url.size() - 1) + 1) : url;
  return request;
}

ActionExplained explain_action(const ActionConfig& action, const Alert& alert, WallTime now) {
  ActionExplained view{action, alert.fields.empty() ? "it cannot be decoded" : why_not(action.route, alert), {}, ""};
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

/// The alert is decoded whatever the answer is: who mistyped a token wants to see the rest too.
Explained explain(const Config& config, const Request& request, WallTime now) {
  const Verdict verdict = authorise(config.access, request.remote_addr, parse_query(request.query_string));
  Explained explained;
  explained.alert =
      alert_of({now, verdict.address, verdict.token, request.query_string, request.content_type, request.body});
  Decision decision = receive_head(config.receiver(), request);
  if (decision.kind == Decision::Kind::read) decision = receive(config.receiver(), std::move(decision), request, now);
  const Response response = decision.kind == Decision::Kind::store ? answer_stored(decision, Put{}) : decision.response;
  explained.status = response.status;
  if (response.status != 200) explained.reason = decision.refused ? decision.refused->detail : response.body;
  for (const ActionConfig& action : config.actions)
    explained.actions.push_back(explain_action(action, explained.alert, now));
  return explained;
}

void print_json(const Explained& explained) {
  const Alert& alert = explained.alert;
  std::vector<std::string> pairs, flags, actions;
  for (const auto& [name, value] : alert.fields) pairs.push_back(json_array({json_string(name), json_string(value)}));
  for (const std::string& flag : alert.flags) flags.push_back(json_string(flag));
  for (const ActionExplained& action : explained.actions)
    actions.push_back(json_object({{"name", json_string(action.config.route.action)},
                                   {"matches", action.why.empty() ? "true" : "false"},
                                   {"why", json_string(action.why)},
                                   {"env", json_fields(action.environment)},
                                   {"line", json_string(action.line)}}));
  std::cout << json_object({{"status", std::to_string(explained.status)},
                            {"reason", json_string(explained.reason)},
                            {"pairs", json_array(pairs)},
                            {"fields", json_fields(first_of_each(alert.fields))},
                            {"flags", json_array(flags)},
                            {"alarm", json_string(alert.alarm)},
                            {"digest", json_string(alert.digest)},
                            {"actions", json_array(actions)}})
            << '\n';
}

void print(const Explained& explained) {
  const bool stored = explained.status == 200, decoded = !explained.alert.fields.empty();
  print_alert(explained.alert, {{"answer", std::to_string(explained.status) + (stored ? " (it would be stored)" : "")},
                                {"reason", explained.reason},
                                {"from", explained.alert.origin.remote_addr},
                                {"token", explained.alert.origin.token}});
  for (const ActionExplained& action : explained.actions) {
    std::cout << "\naction " << action.config.route.action << ": ";
    if (action.why.empty())
      std::cout << "takes it\n"
                << aligned(action.environment) << (action.line.empty() ? "" : "  " + action.line + "\n");
    else
      std::cout << "does not take it" << (action.config.route.follow && decoded ? " unless it follows the alarm" : "")
                << "\n  " << escape_controls(action.why) << '\n';
  }
}

int run(const Arguments& arguments) {
  const Config config = config_of(arguments);
  const Explained explained = explain(config, request_of(arguments, config), SystemClock().wall());
  arguments.has("json") ? print_json(explained) : print(explained);
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
