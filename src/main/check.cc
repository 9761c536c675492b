/// check: what the configuration means, and what on this machine would not let it work.

#include "alert/alert.h"
#include "main/operator.h"
#include "store/url.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace alertspool {
namespace {

void warn(const std::string& text) {
  std::cout << "warning: " << text << '\n';
}

/// False: this is what the check that ends with it found.
bool fail(const std::string& text) {
  std::cout << "error: " << text << '\n';
  return false;
}

std::string directory_of(const std::string& path) {
  return std::filesystem::path(path).parent_path();
}

/// Mode and owner: `others` are the bits that nobody but owner and group may have; what only is not to be written (02)
/// is what we trust, so it belongs to root or to us. False: it is not there.
bool look_at(const std::string& path, mode_t others) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if ((status.st_mode & others) != 0) {
    const bool shared = path == "/" || (status.st_mode & S_ISVTX) != 0;  // nobody's to close
    warn(path + " is open to all users: " +
         (shared ? "use a directory of its own" : "chmod o" + std::string(others == 02 ? "-w " : "= ") + path));
  }
  const passwd* user = getpwuid(status.st_uid);
  if (others == 02 && status.st_uid != 0 && status.st_uid != geteuid())
    warn(path + " belongs to " + (user != nullptr ? user->pw_name : std::to_string(status.st_uid)) +
         ", who can change it at any time");
  return true;
}

bool check_server(const Config& config) {
  try {
    const SystemClock clock;
    Store(config.store, StoreUse::read, clock).connect();
  } catch (const StoreError& error) {
    return fail(error.what());
  }
  return true;
}

bool check_spool(const Config& config) {
  const std::string path = file_of_url(config.store.url), directory = directory_of(path);
  if (path.empty()) return check_server(config);
  if (!look_at(directory, 07))
    return fail(directory + " of the spool: " + std::generic_category().message(errno) +
                "; make it, owned by the receiver's user, 0770");
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0)
    warn(directory + " of the spool cannot be written by this user; check as the receiver's user");
  for (const char* suffix : {"", "-wal", "-shm", "-lock", "-wake"}) look_at(path + suffix, 07);
  struct statfs system {};
  constexpr decltype(system.f_type) kNfs = 0x6969, kSmb2 = 0xfe534d42, kCifs = 0xff534d42;  // statfs(2)
  if (statfs(directory.c_str(), &system) == 0 &&
      (system.f_type == kNfs || system.f_type == kSmb2 || system.f_type == kCifs))
    warn(directory + " of the spool is on a network file system, where SQLite's locks do not work");
  return true;
}

bool check_action(const ActionConfig& action) {
  const std::string name = "action " + action.route.action + ": ";
  if (action.type == ActionConfig::Type::syslog) {
    if (access(action.socket.c_str(), F_OK) != 0) warn(name + "no syslogd listens at " + action.socket);
    return true;
  }
  const std::string& program = action.run.front();
  if (access(program.c_str(), X_OK) != 0)
    return fail(name + program + ": " + std::generic_category().message(errno) +
                "; chmod +x, or check as the deliverer's user");
  look_at(program, 02);
  look_at(directory_of(program), 02);
  return true;
}

/// Whether all of it can work.
bool look_around(const Config& config) {
  look_at(config.path, public_url(config.store.url) == config.store.url ? 02 : 07);
  warn(config.token_file.empty() ? "no token-file: every CloudMonitor user can send alerts here"
                                 : "the token travels in the URL: let that be https://, and log no query string");
  if (config.access.user_ids.empty()) warn("no user-id: alerts of every Alibaba account are taken");
  bool usable = check_spool(config);
  if (!config.listen.empty() && !look_at(directory_of(config.listen), 02))
    usable = fail(directory_of(config.listen) +
                  " of the socket is not there; make it, or remove listen where the socket is handed over");
  for (const ActionConfig& action : config.actions) usable = check_action(action) && usable;
  return usable;
}

void print_configuration(const Config& config) {
  Fields rows{{"file", config.path}, {"store", public_url(config.store.url)}};
  for (const Prefix& prefix : config.access.allow)
    rows.emplace_back("allow", prefix.network.text() + "/" + std::to_string(prefix.length));
  if (!config.token_file.empty()) rows.emplace_back("token-file", config.token_file);
  for (const Token& token : config.access.tokens) rows.emplace_back("token", token.name);
  for (const std::string& id : config.access.user_ids) rows.emplace_back("user-id", id);
  rows.emplace_back("listen", config.listen.empty() ? "only when handed over" : config.listen);
  rows.emplace_back("max-body", std::to_string(config.max_body) + " bytes");
  rows.emplace_back("max-waiting", std::to_string(config.store.max_waiting));
  rows.emplace_back("keep", to_text(config.keep));
  rows.emplace_back("deliver", config.deliver ? "yes" : "no: alertspool deliver runs as a service of its own");
  for (const ActionConfig& action : config.actions) {
    const bool command = action.type == ActionConfig::Type::command;
    rows.emplace_back("action " + action.route.action, command ? "command" : "syslog to " + action.socket);
    for (const std::string& word : action.run) rows.emplace_back("", "  " + word);
    for (const Match& match : action.route.matches) rows.emplace_back("", "match " + match.text);
    rows.emplace_back("", std::string(action.route.follow ? "follows an alarm that it took" : "does not follow") +
                              "; retries " + to_text(action.retry.retry_min) + " to " +
                              to_text(action.retry.retry_max) + ", gives up after " +
                              to_text(action.retry.give_up_after));
  }
  std::cout << aligned(rows);
}

/// Where an alert with the sample's fields would go, by its severity.
void print_routes(const Config& config) {
  Fields rows;
  for (const std::string kind : {"CRITICAL", "WARN", "INFO", "OK"}) {
    const std::string change = (kind == "OK" ? "alertState=" : "triggerLevel=") + kind;
    const Alert alert = make_alert({}, sample_fields({}, {change}), false);
    const std::size_t row = rows.size();
    rows.emplace_back(kind, "");
    for (const ActionConfig& action : config.actions) {
      std::string& takers = rows[row].second;
      if (const std::string why = why_not(action.route, alert); why.empty())
        takers += (takers.empty() ? "" : " ") + action.route.action;
      else
        rows.emplace_back("", "not " + action.route.action + ": " + why);
    }
    if (rows[row].second.empty()) rows[row].second = "no action: kept as unmatched";
  }
  std::cout << "\nWhere a sample alert would go, by its level (explain says it for a real one; an\nOK also goes where "
               "its alarm went):\n"
            << aligned(rows) << '\n';
}

int run(const Arguments& arguments) {
  const Config config = config_of(arguments);
  print_configuration(config);
  print_routes(config);
  return look_around(config) ? kOk : kConfigError;
}

}  // namespace

const Verb kCheckVerb{"check", "", "says what the configuration means, and what would not work", {}, run};

}  // namespace alertspool
