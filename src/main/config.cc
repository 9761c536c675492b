#include "main/config.h"

#include "base/fd.h"
#include "base/text.h"
#include "main/config_file.h"
#include "main/config_values.h"

#include <unistd.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

namespace alertspool {

namespace {

namespace po = boost::program_options;
using namespace config_values;
using namespace std::chrono_literals;
using std::string;

constexpr milliseconds kDay = 24h;

/// A key is a Boost option whose notifier puts the value where it belongs; `composing` keys may be repeated.
template <class Set>
po::typed_value<string>* key(const char* fallback, Set set) {
  return po::value<string>()->notifier(set)->default_value(fallback);
}

template <class Set>
po::typed_value<string>* key(Set set) {
  return po::value<string>()->notifier(set);
}

po::options_description general_keys(Config& c, Secrets secrets) {
  po::options_description keys;
  auto add = keys.add_options();
  add("store", key("sqlite:/var/lib/alertspool/spool.db", [&](const string& v) { c.store.url = store_url(v); }),
      "where alerts are kept: sqlite:/PATH");
  add("max-waiting", key("1000000", [&](const string& v) { c.store.max_waiting = number(v, 1, 1'000'000'000); }),
      "deliveries that may wait; beyond, callbacks get 503");
  add("allow", key([&](const string& v) { add_prefixes(v, c.access.allow); })->composing(),
      "addresses callbacks come from: ADDRESS, PREFIX or a preset; default: the four blocks documented in 2021");
  add("token-file", key([&c, secrets](const string& v) {
        c.token_file = absolute_path(v);
        if (secrets == Secrets::read) c.access.tokens = read_tokens(v);
      }),
      "lines NAME SECRET; the callback URL must carry ?token=SECRET of one of them");
  add("user-id", key([&](const string& v) { c.access.user_ids.push_back(digits(v)); })->composing(),
      "Alibaba account whose alerts are taken; default: any");
  add("listen", key([&](const string& v) { c.listen = socket_path(v); }),
      "unix socket to make, when no listening socket is handed over");
  add("listen-group", key([&](const string& v) { c.listen_group = group(v); }), "group of that socket");
  add("max-body", key("64KiB", [&](const string& v) { c.max_body = size(v, 1 << 10, 16 << 20); }),
      "largest body taken; 1KiB to 16MiB");
  add("keep", key("90d", [&](const string& v) { c.keep = duration(v, 1min, 3650 * kDay); }),
      "how long alerts that ended stay listed");
  add("deliver", key("yes", [&](const string& v) { c.deliver = yes_or_no(v); }),
      "whether the receiver starts a deliverer; no: it runs as a service of its own");
  return keys;
}

po::options_description action_keys(ActionConfig& a) {
  po::options_description keys;
  auto add = keys.add_options();
  add("type", key([&](const string& v) { a.type = action_type(v); }), "syslog or command");
  add("match", key([&](const string& v) { a.route.matches.push_back(match(v)); })->composing(),
      "FIELD GLOB...: takes alerts for which all these lines hold; default: every alert");
  add("follow", key("yes", [&](const string& v) { a.route.follow = yes_or_no(v); }),
      "whether it gets everything of an alarm from the ALERT that it took to the OK");
  add("retry-min", key("10s", [&](const string& v) { a.retry.retry_min = duration(v, 100ms, kDay); }),
      "shortest pause before another try");
  add("retry-max", key("10m", [&](const string& v) { a.retry.retry_max = duration(v, 100ms, 7 * kDay); }),
      "longest pause before another try");
  add("give-up-after", key("3d", [&](const string& v) { a.retry.give_up_after = duration(v, 1s, 365 * kDay); }),
      "age at which an alert is not tried again");
  return keys;
}

po::options_description syslog_keys(ActionConfig& a) {
  po::options_description keys;
  auto add = keys.add_options();
  add("facility", key("daemon", [&](const string& v) { a.facility = facility(v); }), "syslog facility");
  add("socket", key("/dev/log", [&](const string& v) { a.socket = socket_path(v); }), "where syslogd listens");
  return keys;
}

po::options_description command_keys(ActionConfig& a) {
  po::options_description keys;
  auto add = keys.add_options();
  add("run", key([&](const string& v) { a.run = command(v); }), "program and its arguments; no shell runs it");
  add("parallel", key("4", [&](const string& v) { a.parallel = static_cast<int>(number(v, 1, 256)); }),
      "commands of this action at once");
  add("timeout", key("30s", [&](const string& v) { a.timeout = duration(v, 1s, kDay); }),
      "age at which a command is ended");
  add("give-up-exit", key([&](const string& v) { add_exit_codes(v, a.retry.give_up_exit); })->composing(),
      "exit codes that mean: never try this alert again");
  return keys;
}

std::vector<string> names_of(const po::options_description& keys) {
  std::vector<string> names;
  for (const auto& option : keys.options()) names.push_back(option->long_name());
  return names;
}

string unknown_key(const string& name, const po::options_description& known, const std::vector<string>& foreign) {
  if (std::find(foreign.begin(), foreign.end(), name) != foreign.end())
    return "does not belong to this type of action: remove it, or change type";
  const string near = nearest(name, names_of(known));
  return "unknown key" + (near.empty() ? ": remove it" : "; did you mean " + near + "?");
}

/// Builds a Config and remembers everything that is wrong on the way.
class Builder {
public:
  explicit Builder(Secrets secrets) : secrets_(secrets) {}

  void take(const ConfigText& text);

  Config config;
  std::vector<ConfigFault> faults;

private:
  void take_action(const ConfigSection& section);
  void feed(const po::options_description& known, const std::vector<ConfigLine>& lines,
            const std::vector<string>& foreign);

  Secrets secrets_;
};

void Builder::take(const ConfigText& text) {
  faults = text.faults;
  const auto actions = std::span(text.sections).subspan(1);
  feed(general_keys(config, secrets_), text.sections.front().lines, {});
  for (const ConfigSection& section : actions) take_action(section);
  if (actions.empty()) take_action({0, "action.log", {{0, "type", "syslog"}}});
  if (config.access.allow.empty())
    for (const std::string_view prefix : default_prefixes()) add_prefixes(string(prefix), config.access.allow);
}

void Builder::take_action(const ConfigSection& section) {
  const auto fault = [&](const string& what) { faults.push_back({section.number, "[" + section.name + "]: " + what}); };
  const string prefix = "action.";
  ActionConfig action;
  action.route.action = section.name.starts_with(prefix) ? section.name.substr(prefix.size()) : "";
  if (!is_name(action.route.action)) return fault("no such section: write [action.NAME], NAME of [A-Za-z0-9_-]");
  for (const ActionConfig& other : config.actions)
    if (other.route.action == action.route.action) return fault("there already is an action of that name");

  const auto& lines = section.lines;
  const auto type = std::find_if(lines.begin(), lines.end(), [](const auto& line) { return line.key == "type"; });
  if (type == lines.end()) fault("no type: add type = syslog or type = command");
  const string kind = type == lines.end() ? "" : type->value;
  const auto syslog = syslog_keys(action), command = command_keys(action);
  auto known = action_keys(action);
  // With no usable type both kinds of keys are taken, so that one mistake is one error.
  if (kind != "command") known.add(syslog);
  if (kind != "syslog") known.add(command);
  const std::size_t before = faults.size();
  feed(known, lines, names_of(kind == "command" ? syslog : command));

  if (kind == "command" && action.run.empty() && faults.size() == before) fault("no run: add run = /PATH ARGUMENT...");
  const RetryPolicy& retry = action.retry;
  if (retry.retry_min > retry.retry_max)
    fault("retry-min " + to_text(retry.retry_min) + " is longer than retry-max " + to_text(retry.retry_max));
  if (retry.retry_max > retry.give_up_after)
    fault("retry-max " + to_text(retry.retry_max) + " is longer than give-up-after " + to_text(retry.give_up_after));
  config.actions.push_back(std::move(action));
}

void Builder::feed(const po::options_description& known, const std::vector<ConfigLine>& lines,
                   const std::vector<string>& foreign) {
  for (const auto& option : known.options()) {
    boost::any value;
    if (option->semantic()->apply_default(value)) option->semantic()->notify(value);
  }
  std::map<string, int> seen;
  for (const ConfigLine& line : lines) {
    try {
      const po::option_description* option = known.find_nothrow(line.key, false);
      if (option == nullptr) throw BadValue(unknown_key(line.key, known, foreign));
      const auto [first, fresh] = seen.emplace(line.key, line.number);
      if (!fresh && !option->semantic()->is_composing())
        throw BadValue("already given in line " + std::to_string(first->second) + ": keep one of them");
      boost::any value;
      option->semantic()->parse(value, {line.value}, true);
      option->semantic()->notify(value);
    } catch (const BadValue& bad) {
      faults.push_back({line.number, line.key + ": " + bad.what()});
    }
  }
}

string joined(const std::vector<string>& lines) {
  string text;
  for (const string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

}  // namespace

ConfigError::ConfigError(const std::vector<string>& lines) : std::runtime_error(joined(lines)) {}

Config parse_config(const string& text, const string& path, Secrets secrets) {
  Builder builder(secrets);
  builder.take(split_config(text));
  auto& faults = builder.faults;
  std::stable_sort(faults.begin(), faults.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  std::vector<string> lines;
  lines.reserve(faults.size());
  for (const ConfigFault& fault : faults) lines.push_back(path + ":" + std::to_string(fault.line) + ": " + fault.what);
  if (!lines.empty()) throw ConfigError(lines);
  builder.config.path = path;
  return std::move(builder.config);
}

Config read_config(const string& path, bool asked_for, Secrets secrets) {
  try {
    return parse_config(read_file(path, 1 << 20), path, secrets);
  } catch (const std::system_error& error) {
    if (!asked_for && error.code() == std::errc::no_such_file_or_directory) return parse_config("", path, secrets);
    throw ConfigError({path + ": cannot read it: " + error.code().message()});
  } catch (const std::length_error&) {
    throw ConfigError({path + ": larger than 1 MiB"});
  }
}

std::vector<ConfigKey> config_keys() {
  Config config;
  ActionConfig action;
  std::vector<ConfigKey> result;
  const auto append = [&](const string& section, const po::options_description& keys) {
    for (const auto& option : keys.options()) {
      boost::any fallback;
      const bool has = option->semantic()->apply_default(fallback);
      result.push_back(
          {section, option->long_name(), has ? boost::any_cast<string>(fallback) : "", option->description()});
    }
  };
  append("", general_keys(config, Secrets::leave));
  append("action", action_keys(action));
  append("action syslog", syslog_keys(action));
  append("action command", command_keys(action));
  return result;
}

ReceiverSettings Config::receiver() const {
  ReceiverSettings settings{access, max_body, {}};
  for (const ActionConfig& action : actions) settings.routes.push_back(action.route);
  return settings;
}

DelivererSettings Config::deliverer() const {
  return {actions, keep, host_name()};
}

string spool_path(const Config& config) {
  return config.store.url.substr(config.store.url.find(':') + 1);
}

string wake_path(const Config& config) {
  return spool_path(config) + "-wake";
}

string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace alertspool
