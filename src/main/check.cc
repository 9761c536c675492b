// `alertspool check`: what the configuration means, and what on this machine would not let it work.

#include "alert/alert.h"
#include "main/sample.h"
#include "main/table.h"
#include "main/verb.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <set>
#include <system_error>

namespace alertspool {

namespace {

/// What would go wrong (`errors`) and what an operator should know (`warnings`), in the order found.
struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == path.npos ? "/" : path.substr(0, slash);
}

std::string owner_of(const struct stat& status) {
  const passwd* user = getpwuid(status.st_uid);
  return user != nullptr ? user->pw_name : std::to_string(status.st_uid);
}

/// Looks at mode and owner: `others` are the bits that nobody but owner and group may have; what only is not to be
/// written (02) is what we trust, so it belongs to root or to us. False: it is not there.
bool look_at(const std::string& path, mode_t others, Findings& found) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if ((status.st_mode & others) != 0)
    found.warnings.push_back(path + " of " + owner_of(status) + " is open to all users: chmod o" +
                             (others == 02 ? "-w " : "= ") + path);
  if (others == 02 && status.st_uid != 0 && status.st_uid != geteuid())
    found.warnings.push_back(path + " belongs to " + owner_of(status) + ", who can change it at any time");
  return true;
}

void check_spool(const Config& config, Findings& found) {
  const std::string path = spool_path(config), directory = directory_of(path);
  if (!look_at(directory, 07, found)) {
    found.errors.push_back(directory + " of the spool: " + std::generic_category().message(errno) +
                           "; make it, owned by the receiver's user, 0770");
    return;
  }
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0)
    found.warnings.push_back(directory + " of the spool cannot be written by this user; check as the receiver's user");
  for (const char* suffix : {"", "-wal", "-shm", "-lock", "-wake"}) look_at(path + suffix, 07, found);
  struct statfs system {};
  constexpr decltype(system.f_type) kNfs = 0x6969, kSmb2 = 0xfe534d42, kCifs = 0xff534d42;  // statfs(2)
  if (statfs(directory.c_str(), &system) == 0 &&
      (system.f_type == kNfs || system.f_type == kSmb2 || system.f_type == kCifs))
    found.warnings.push_back(
        directory + " of the spool is on a network file system: SQLite's locks and syncs cannot be relied on there");
}

void check_command(const ActionConfig& action, Findings& found) {
  const std::string& program = action.run.front();
  const std::string name = "action " + action.route.action + ": " + program;
  struct stat status {};
  if (stat(program.c_str(), &status) != 0)
    found.errors.push_back(name + ": " + std::generic_category().message(errno));
  else if (!S_ISREG(status.st_mode) || access(program.c_str(), X_OK) != 0)
    found.errors.push_back(name + " cannot be executed by this user: chmod +x, or check as the deliverer's user");
  else if (look_at(program, 02, found))
    look_at(directory_of(program), 02, found);
}

Findings look_around(const Config& config) {
  Findings found;
  look_at(config.path, 02, found);
  if (config.token_file.empty())
    found.warnings.push_back("no token-file: every CloudMonitor user can send alerts here");
  else
    found.warnings.push_back("the token travels in the URL: let that be https://, and log no query string");
  if (config.access.user_ids.empty()) found.warnings.push_back("no user-id: alerts of every Alibaba account are taken");
  check_spool(config, found);
  if (!config.listen.empty()) {
    look_at(config.listen, 07, found);
    if (access(directory_of(config.listen).c_str(), F_OK) != 0)
      found.errors.push_back(directory_of(config.listen) + " of the socket is not there");
  }
  for (const ActionConfig& action : config.actions) {
    if (action.type == ActionConfig::Type::command)
      check_command(action, found);
    else if (access(action.socket.c_str(), F_OK) != 0)
      found.warnings.push_back("action " + action.route.action + ": no syslogd listens at " + action.socket);
  }
  return found;
}

/// Rows of at most 80 columns.
void add_words(Fields& rows, std::string name, const std::vector<std::string>& words) {
  constexpr std::size_t kColumns = 60;
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty() && line.size() + word.size() >= kColumns)
      rows.emplace_back(std::exchange(name, ""), std::exchange(line, ""));
    line += (line.empty() ? "" : " ") + word;
  }
  rows.emplace_back(name, line);
}

std::string text_of(const Prefix& prefix) {
  return prefix.network.text() + "/" + std::to_string(prefix.length);
}

/// The presets of which all prefixes are allowed: they age, and the vendor's page is the truth.
std::vector<std::string> presets_in(const std::set<std::string>& allowed) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    const auto is_allowed = [&](std::string_view text) {
      return allowed.contains(text_of(std::get<Prefix>(parse_prefix(text))));
    };
    if (std::all_of(preset.prefixes.begin(), preset.prefixes.end(), is_allowed))
      names.push_back(std::string(preset.name) + " as published in " + std::string(preset.date));
  }
  return names;
}

void add_action(Fields& rows, const ActionConfig& action) {
  const std::string name = "action " + action.route.action;
  if (action.type == ActionConfig::Type::syslog)
    rows.emplace_back(name, "syslog to " + action.socket);
  else {
    rows.emplace_back(name, "command");
    for (const std::string& word : action.run) rows.emplace_back("", "  " + word);
  }
  for (const Match& match : action.route.matches) rows.emplace_back("", "match " + match.text);
  rows.emplace_back("", std::string(action.route.follow ? "follows an alarm that it took" : "does not follow") +
                            "; retries " + to_text(action.retry.retry_min) + " to " + to_text(action.retry.retry_max) +
                            ", gives up after " + to_text(action.retry.give_up_after));
}

void print_configuration(const Config& config) {
  Fields rows = {{"file", config.path}, {"store", config.store.url}};
  std::set<std::string> allowed;
  for (const Prefix& prefix : config.access.allow) allowed.insert(text_of(prefix));
  add_words(rows, "allow", {allowed.begin(), allowed.end()});
  for (const std::string& preset : presets_in(allowed)) rows.emplace_back("", preset);
  std::vector<std::string> tokens;
  for (const Token& token : config.access.tokens) tokens.push_back(token.name);
  add_words(rows, "tokens", tokens.empty() ? std::vector<std::string>{"none"} : tokens);
  add_words(rows, "user-id", config.access.user_ids.empty() ? std::vector<std::string>{"any"} : config.access.user_ids);
  rows.emplace_back("listen", config.listen.empty() ? "only when handed over" : config.listen);
  rows.emplace_back("max-body", std::to_string(config.max_body) + " bytes");
  rows.emplace_back("max-waiting", std::to_string(config.store.max_waiting));
  rows.emplace_back("keep", to_text(config.keep));
  rows.emplace_back("deliver", config.deliver ? "yes" : "no: alertspool deliver runs as a service of its own");
  for (const ActionConfig& action : config.actions) add_action(rows, action);
  std::cout << aligned(rows);
}

/// Where an alert with the sample's fields would go, by its severity.
void print_routes(const Config& config) {
  Fields rows;
  for (const std::string kind : {"CRITICAL", "WARN", "INFO", "OK"}) {
    const auto change = kind == "OK" ? "alertState=OK" : "triggerLevel=" + kind;
    const Alert alert = make_alert({}, sample_fields({}, {change}), false);
    std::vector<std::string> takers;
    Fields others;
    for (const ActionConfig& action : config.actions) {
      const std::string why = why_not(action.route, alert);
      if (why.empty())
        takers.push_back(action.route.action);
      else
        others.emplace_back("", "not " + action.route.action + ": " + why);
    }
    if (takers.empty()) takers.push_back("no action: kept as unmatched");
    add_words(rows, kind, takers);
    rows.insert(rows.end(), others.begin(), others.end());
  }
  std::cout << "\nWhere a sample alert would go, by its level (explain says it for a real one; an\nOK also goes where "
               "its alarm went):\n"
            << aligned(rows);
}

int check(const Arguments& arguments) {
  if (arguments.has("keys")) {
    for (const ConfigKey& key : config_keys())
      std::cout << key.section << '\t' << key.name << '\t' << key.fallback << '\t' << key.help << '\n';
    return kOk;
  }
  const Config config = config_of(arguments);
  print_configuration(config);
  print_routes(config);
  const Findings found = look_around(config);
  std::cout << '\n';
  for (const std::string& text : found.warnings) std::cout << "warning: " << text << '\n';
  for (const std::string& text : found.errors) std::cout << "error: " << text << '\n';
  std::cout << (found.errors.empty() ? "usable\n" : "not usable as it is\n");
  return found.errors.empty() ? kOk : kConfigError;
}

}  // namespace

const Verb kCheckVerb{"check",
                      "",
                      "says what the configuration means, and what would not work",
                      {{"keys", "", "list the keys of the file with their defaults instead, for scripts"}},
                      check};

}  // namespace alertspool
