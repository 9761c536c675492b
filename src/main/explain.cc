/// explain: what would happen to a body. Runs what the receiver runs, opens no spool, starts nothing.

#include "alert/authorise.h"
#include "alert/environment.h"
#include "alert/json.h"
#include "alert/line.h"
#include "base/fd.h"
#include "base/text.h"
#include "main/table.h"
#include "main/verb.h"
#include "store/view.h"
#include "web/receive.h"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <set>

#include <unistd.h>

namespace alertspool {
namespace {

constexpr std::size_t kMaxRead = 64U << 20U;  // above every max-body, so that the answer is 413 and no read error

struct Explained {
  Response response;
  std::string reason;
  Alert alert;
  std::string undecodable;
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

std::string default_type(std::string_view body) {
  return trim(body).starts_with('{') ? "application/json" : "application/x-www-form-urlencoded";
}

/// The query alone, also from a whole URL as it stands in the console.
std::string query_of(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return url;
  const std::size_t mark = url.find('?');
  return mark == std::string::npos ? "" : url.substr(mark + 1);
}

Request request_of(const Arguments& arguments, const Config& config) {
  Request request;
  request.method = "POST";
  request.remote_addr = arguments.has("from") ? arguments.value("from") : config.access.allow.at(0).network.text();
  request.remote_addr_count = 1;
  request.query_string = query_of(arguments.value("url"));
  request.body = body_of(arguments);
  request.content_type = arguments.has("type") ? arguments.value("type") : default_type(request.body);
  request.content_length = std::to_string(request.body.size());
  return request;
}

/// The alert is decoded whatever the answer is: who mistyped a token wants to see the rest too.
Explained explain(const Config& config, const Request& request, WallTime now) {
  Explained explained;
  const Verdict verdict = authorise(config.access, request.remote_addr, parse_query(request.query_string));
  explained.alert =
      alert_of({now, verdict.address, verdict.token, request.query_string, request.content_type, request.body});
  const std::optional<Decision> refused = receive_head(config.receiver(), request);
  const Decision decision = refused ? *refused : receive(config.receiver(), request, now);
  if (decision.incoming) explained.undecodable = decision.incoming->undecodable;
  explained.response = decision.kind == Decision::Kind::store ? answer_stored(decision, Put{}) : decision.response;
  if (explained.response.status != 200)
    explained.reason = decision.refused ? decision.refused->detail : explained.response.body;
  if (explained.alert.pairs.empty() && explained.undecodable.empty()) explained.undecodable = explained.reason;
  return explained;
}

ActionExplained explain_action(const ActionConfig& action, const Explained& explained, WallTime now) {
  ActionExplained view{action, "", {}, ""};
  view.why = explained.alert.pairs.empty() ? "it cannot be decoded" : why_not(action.route, explained.alert);
  if (action.type == ActionConfig::Type::syslog) {
    view.line = syslog_line(0, false, explained.alert);
    return view;
  }
  const Stored stored{0, to_rfc3339(now), false};
  for (const std::string& variable :
       environment(stored, {action.route.action, 1}, explained.alert, base_environment(environ))) {
    const std::size_t equals = variable.find('=');
    view.environment.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return view;
}

std::string to_json(const Explained& explained, const std::vector<ActionExplained>& actions) {
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
  return json_object({{"status", std::to_string(explained.response.status)},
                      {"reason", json_string(explained.reason)},
                      {"pairs", json_array(pairs)},
                      {"fields", json_fields(alert.fields)},
                      {"flags", json_array(flags)},
                      {"alarm", json_string(alert.alarm)},
                      {"digest", json_string(alert.digest)},
                      {"actions", json_array(views)}});
}

void print_alert(const Explained& explained) {
  const Alert& alert = explained.alert;
  const std::string time = alert.time_ms ? to_local(WallTime(milliseconds(*alert.time_ms))) : "";
  const std::string status = std::to_string(explained.response.status);
  Fields facts{{"answer", explained.response.status == 200 ? status + " (it would be stored)" : status},
               {"reason", explained.reason},
               {"undecodable", explained.undecodable},
               {"alarm", alert.alarm},
               {"change", fires(alert)    ? "fires"
                          : clears(alert) ? "clears"
                                          : ""},
               {"severity", alert.severity},
               {"time", time},
               {"digest", alert.digest},
               {"from", alert.origin.remote_addr},
               {"token", alert.origin.token}};
  for (const std::string& flag : alert.flags) facts.emplace_back("flag", flag);
  std::erase_if(facts, [](const Field& fact) { return fact.second.empty(); });
  std::cout << aligned(facts);

  Fields pairs;
  std::set<std::string> seen;
  for (const auto& [name, value] : alert.pairs)
    pairs.emplace_back(seen.insert(name).second ? name : name + " (repeated, does not count)", value);
  const std::pair<const char*, const Fields*> parts[] = {
      {"fields", &pairs}, {"dimensions", &alert.dimensions}, {"url", &alert.origin.url}};
  for (const auto& [title, fields] : parts)
    if (!fields->empty()) std::cout << '\n' << paint(title, Colour::bold) << '\n' << aligned(*fields);
}

void print_action(const ActionExplained& action) {
  const bool takes = action.why.empty();
  const std::string title = "action " + action.config.route.action + ": " + (takes ? "takes it" : "does not take it");
  std::cout << '\n' << paint(title, takes ? Colour::green : Colour::yellow) << '\n';
  if (!takes) std::cout << "  " << escape_controls(action.why) << '\n';
  if (!takes && action.config.route.follow) std::cout << "  unless it took the ALERT of this alarm (follow = yes)\n";
  if (!takes) return;
  std::cout << aligned(action.environment);
  if (!action.line.empty()) std::cout << "  " << action.line << '\n';
}

int run(const Arguments& arguments) {
  const Config config = config_of(arguments);
  const WallTime now = SystemClock().wall();
  const Explained explained = explain(config, request_of(arguments, config), now);
  std::vector<ActionExplained> actions;
  for (const ActionConfig& action : config.actions) actions.push_back(explain_action(action, explained, now));
  if (arguments.has("json")) {
    std::cout << to_json(explained, actions) << '\n';
    return kOk;
  }
  print_alert(explained);
  std::for_each(actions.begin(), actions.end(), print_action);
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
