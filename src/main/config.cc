#include "main/config.h"

#include "alert/alert.h"
#include "base/text.h"
#include "store/url.h"

#include <grp.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <numeric>
#include <set>
#include <span>

namespace alertspool {

namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;
using std::string;
using Faults = std::vector<ConfigFault>;

constexpr milliseconds kDay = 24h;

// ---- values

/// The text, when it is good.
const string& require(bool good, const string& text, const string& cure) {
  if (!good) throw ConfigError("'" + text + "': " + cure);
  return text;
}

/// The value of a result that is a string when it failed.
template <class Value>
Value value_or_throw(std::variant<Value, string> result) {
  if (const auto* why = std::get_if<string>(&result)) throw ConfigError(*why);
  return std::get<Value>(std::move(result));
}

std::int64_t number(const string& text, std::int64_t least, std::int64_t most) {
  const std::uint64_t value = parse_number(text).value_or(UINT64_MAX);
  require(value >= static_cast<std::uint64_t>(least) && value <= static_cast<std::uint64_t>(most), text,
          "write a number from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<std::int64_t>(value);
}

/// Powers of 1024 with no other unit, so that nobody wonders what KB means.
std::size_t body_size(const string& text) {
  const std::size_t unit = text.ends_with("KiB") ? 1 << 10 : text.ends_with("MiB") ? 1 << 20 : 0;
  const std::size_t value = unit == 0 ? 0 : parse_number(text.substr(0, text.size() - 3)).value_or(0);
  require(unit != 0 && value > 0 && value <= (16U << 20) / unit, text,
          "write a size in KiB or MiB, like 64KiB, from 1KiB to 16MiB");
  return value * unit;
}

milliseconds duration(const string& text, milliseconds least, milliseconds most) {
  const auto value = parse_duration(text);
  require(value && *value >= least && *value <= most, text,
          "write a duration with its unit (ms, s, m, h, d), like 30s, from " + to_text(least) + " to " + to_text(most));
  return *value;
}

bool yes_or_no(const string& text) {
  return require(text == "yes" || text == "no", text, "write yes or no") == "yes";
}

string absolute_path(const string& text) {
  return require(text.front() == '/', text, "write an absolute path, without quotes");
}

string socket_path(const string& text) {
  return absolute_path(
      require(text.size() < sizeof(sockaddr_un::sun_path), text, "a socket's path has at most 107 bytes"));
}

void add_prefixes(const string& text, std::vector<Prefix>& prefixes) {
  std::vector<std::string_view> all{text};
  for (const Preset& preset : presets())
    if (preset.name == text) all.assign(preset.prefixes.begin(), preset.prefixes.end());
  for (const std::string_view prefix : all) prefixes.push_back(value_or_throw(parse_prefix(prefix)));
}

// ---- keys

/// The keys of one kind of section: Boost options whose notifiers put the values where they belong.
class Keys : public po::options_description {
public:
  using Set = std::function<void(const string&)>;

  void add(const char* name, const Set& set) { add_options()(name, po::value<string>()->notifier(set)); }
  void add(const char* name, const char* fallback, const Set& set) {
    add_options()(name, po::value<string>()->notifier(set)->default_value(fallback));
  }
  /// One that may be given on several lines.
  void add_list(const char* name, const Set& set) {
    add_options()(name, po::value<string>()->notifier(set)->composing());
  }
};

Keys program_keys(Config& c, Secrets secrets) {
  Keys keys;
  keys.add("store", "sqlite:/var/lib/alertspool/spool.db", [&](auto& v) {
    if (const string fault = fault_of_url(v); !fault.empty()) throw ConfigError(fault);  // no value: a password
    c.store.url = v;
  });
  keys.add("max-waiting", "1000000", [&](auto& v) { c.store.max_waiting = number(v, 1, 1'000'000'000); });
  keys.add_list("allow", [&](auto& v) { add_prefixes(v, c.access.allow); });
  keys.add("token-file", [&c, secrets](auto& v) {
    c.token_file = absolute_path(v);
    if (secrets == Secrets::read) c.access.tokens = read_tokens(v);
  });
  keys.add_list("user-id", [&](auto& v) {
    const bool good = v.find_first_not_of("0123456789") == v.npos;
    c.access.user_ids.push_back(require(good, v, "an account is digits only"));
  });
  keys.add("listen", [&](auto& v) { c.listen = socket_path(v); });
  keys.add("listen-group", [&](auto& v) {
    if (getgrnam(v.c_str()) == nullptr) throw ConfigError("no group '" + v + "' on this system");
    c.listen_group = v;
  });
  keys.add("max-body", "64KiB", [&](auto& v) { c.max_body = body_size(v); });
  keys.add("keep", "90d", [&](auto& v) { c.keep = duration(v, kDay, 3650 * kDay); });
  keys.add("deliver", "yes", [&](auto& v) { c.deliver = yes_or_no(v); });
  return keys;
}

Keys action_keys(ActionConfig& a) {
  Keys keys;
  keys.add("type", [&](auto& v) {
    require(v == "syslog" || v == "command", v, "write syslog or command");
    a.type = v == "syslog" ? ActionConfig::Type::syslog : ActionConfig::Type::command;
  });
  keys.add_list("match", [&](auto& v) { a.route.matches.push_back(value_or_throw(parse_match(v))); });
  keys.add("follow", "yes", [&](auto& v) { a.route.follow = yes_or_no(v); });
  keys.add("retry-min", "10s", [&](auto& v) { a.retry.retry_min = duration(v, 100ms, kDay); });
  keys.add("retry-max", "10m", [&](auto& v) { a.retry.retry_max = duration(v, 100ms, 7 * kDay); });
  keys.add("give-up-after", "3d", [&](auto& v) { a.retry.give_up_after = duration(v, 1s, 365 * kDay); });
  return keys;
}

Keys syslog_keys(ActionConfig& a) {
  Keys keys;
  keys.add("facility", "daemon", [&](auto& v) {
    a.facility = facility_number(v);
    require(a.facility >= 0, v, "no syslog facility; write daemon, user, or local0 to local7");
  });
  keys.add("socket", "/dev/log", [&](auto& v) { a.socket = socket_path(v); });
  return keys;
}

Keys command_keys(ActionConfig& a) {
  Keys keys;
  keys.add("run", [&](auto& v) {
    a.run = value_or_throw(split_words(v));
    require(!a.run.empty() && a.run.front().starts_with('/'), v,
            "the program must be an absolute path, no PATH is searched");
  });
  keys.add("parallel", "4", [&](auto& v) { a.parallel = static_cast<int>(number(v, 1, 256)); });
  keys.add("timeout", "30s", [&](auto& v) { a.timeout = duration(v, 1s, kDay); });
  keys.add_list("give-up-exit", [&](string v) {
    std::ranges::replace(v, ',', ' ');
    for (const string& word : value_or_throw(split_words(v)))
      a.retry.give_up_exit.push_back(static_cast<int>(number(word, 1, 255)));
  });
  return keys;
}

// ---- the file

string unknown_key(const string& name, const Keys& known) {
  std::vector<string> names;
  for (const auto& option : known.options()) names.push_back(option->long_name());
  const string near = nearest(name, names);
  return "unknown key" + (near.empty() ? ": remove it" : "; did you mean " + near + "?");
}

/// Sets the defaults of all `known` keys, then what the lines say. `foreign` keys belong to the other type of action.
void feed(const Keys& known, const Keys& foreign, const std::vector<ConfigLine>& lines, Faults& faults) {
  boost::any value;
  for (const auto& option : known.options())
    if (option->semantic()->apply_default(value)) option->semantic()->notify(value);
  for (const ConfigLine& line : lines) {
    try {
      if (foreign.find_nothrow(line.key, false) != nullptr)
        throw ConfigError("does not belong to this type of action: remove it, or change type");
      const po::option_description* option = known.find_nothrow(line.key, false);
      if (option == nullptr) throw ConfigError(unknown_key(line.key, known));
      const int first = std::ranges::find(lines, line.key, &ConfigLine::key)->number;
      if (first != line.number && !option->semantic()->is_composing())
        throw ConfigError("already given in line " + std::to_string(first) + ": keep one of them");
      option->semantic()->notify(line.value);
    } catch (const ConfigError& bad) {
      faults.push_back({line.number, line.key + ": " + bad.what()});
    }
  }
}

void take_action(const ConfigSection& section, std::vector<ActionConfig>& actions, Faults& faults) {
  const auto fault = [&](const string& what) { faults.push_back({section.number, "[" + section.name + "]: " + what}); };
  const string prefix = "action.";
  ActionConfig action;
  action.route.action = section.name.starts_with(prefix) ? section.name.substr(prefix.size()) : "";
  if (!is_name(action.route.action)) return fault("no such section: write [action.NAME], NAME of [A-Za-z0-9_-]");
  for (const ActionConfig& other : actions)
    if (other.route.action == action.route.action) return fault("there already is an action of that name");

  const auto type = std::ranges::find(section.lines, "type", &ConfigLine::key);
  if (type == section.lines.end()) fault("no type: add type = syslog or type = command");
  const string kind = type == section.lines.end() ? "" : type->value;
  const Keys syslog = syslog_keys(action), command = command_keys(action);
  Keys known = action_keys(action);
  // With no usable type both kinds of keys are taken, so that one mistake is one error.
  if (kind != "command") known.po::options_description::add(syslog);
  if (kind != "syslog") known.po::options_description::add(command);
  const std::size_t before = faults.size();
  std::set<string> texts;
  for (const ConfigLine& line : section.lines) texts.insert(line.key + '=' + line.value + '\n');
  action.digest = sha256_hex(std::accumulate(texts.begin(), texts.end(), string())).substr(0, 8);
  feed(known, kind == "syslog" ? command : kind == "command" ? syslog : Keys(), section.lines, faults);

  if (kind == "command" && action.run.empty() && faults.size() == before) fault("no run: add run = /PATH ARGUMENT...");
  const auto& [least, most, give_up_after, codes] = action.retry;
  if (least > most) fault("retry-min " + to_text(least) + " is longer than retry-max " + to_text(most));
  if (most > give_up_after)
    fault("retry-max " + to_text(most) + " is longer than give-up-after " + to_text(give_up_after));
  actions.push_back(std::move(action));
}

}  // namespace

Config parse_config(const string& text, const string& path, Secrets secrets) {
  ConfigText file = split_config(text);
  Config config;
  config.path = path;
  Faults& faults = file.faults;
  feed(program_keys(config, secrets), {}, file.sections.front().lines, faults);
  for (const ConfigSection& section : std::span(file.sections).subspan(1)) take_action(section, config.actions, faults);
  if (file.sections.size() == 1) take_action({0, "action.log", {{0, "type", "syslog"}}}, config.actions, faults);
  if (config.access.allow.empty())
    for (const std::string_view prefix : default_prefixes()) add_prefixes(string(prefix), config.access.allow);

  if (faults.empty()) return config;
  std::ranges::stable_sort(faults, {}, &ConfigFault::line);
  string lines;
  for (const ConfigFault& fault : faults)
    lines += (lines.empty() ? "" : "\n") + path + ":" + std::to_string(fault.line) + ": " + fault.what;
  throw ConfigError(lines);
}

Config read_config(const string& path, bool asked_for, Secrets secrets) {
  if (!asked_for && access(path.c_str(), F_OK) != 0 && errno == ENOENT) return parse_config("", path, secrets);
  return parse_config(contents(path), path, secrets);
}

ReceiverSettings Config::receiver() const {
  ReceiverSettings settings{access, max_body, {}};
  for (const ActionConfig& action : actions) settings.routes.push_back(action.route);
  return settings;
}

DelivererSettings Config::deliverer() const {
  return {actions, keep, host_name()};
}

string spool_name(const Config& config) {
  const string path = file_of_url(config.store.url);
  return path.empty() ? public_url(config.store.url) : path;
}

string wake_path(const Config& config) {
  const string path = file_of_url(config.store.url);
  return (path.empty() ? "/var/lib/alertspool/postgresql" : path) + "-wake";
}

string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace alertspool
