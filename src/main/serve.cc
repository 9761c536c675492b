/// serve: the receiver.

#include "base/child.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/wake.h"
#include "main/process.h"
#include "store/committer.h"
#include "store/store.h"
#include "web/cgi.h"
#include "web/fastcgi.h"
#include "web/listen.h"
#include "web/refusal_log.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <tuple>

namespace alertspool {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kTick = 10s;
/// A request is read or refused within 2 s and stored or refused within 4 s; a command gets 5 s to end.
constexpr std::chrono::seconds kGrace = 10s;

/// Not the path we were started by: after an upgrade that would be another version than this one.
constexpr const char* kOwnExecutable = "/proc/self/exe";

/// What a reload replaces: readers take the pointer once for each request.
class Settings {
public:
  using Pointer = std::shared_ptr<const ReceiverSettings>;

  explicit Settings(const Config& config) { take(config); }
  void take(const Config& config) {
    Pointer fresh = std::make_shared<const ReceiverSettings>(config.receiver());
    const std::lock_guard lock(mutex_);
    current_.swap(fresh);
  }
  Pointer get() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

private:
  mutable std::mutex mutex_;
  Pointer current_;
};

/// `alertspool deliver` with the configuration that these arguments name, for kOwnExecutable.
std::vector<std::string> deliver_command(const Arguments& arguments, const char* option) {
  std::vector<std::string> command = {"alertspool", "deliver", option};
  if (arguments.has("config")) command.insert(command.end(), {"--config", arguments.value("config")});
  return command;
}

void reload(const Arguments& arguments, const Config& before, Settings& settings, ProcessInfo& self) {
  const std::optional<Config> after = reload_config(arguments, Secrets::read, self.note);
  if (!after) return;
  settings.take(*after);
  self.actions = describe(after->actions);
  const auto fixed = [](const Config& c) {
    return std::tie(c.store.url, c.store.max_waiting, c.listen, c.listen_group, c.deliver);
  };
  if (fixed(before) == fixed(*after)) return;
  self.note = "store, max-waiting, listen, listen-group or deliver changed: restart to apply";
  log::warning("config", {{"file", after->path}, {"error", self.note}});
}

/// A spool that cannot be used now may heal: until then callbacks get 503, and the sender comes again.
void look_at(Store& store) {
  try {
    store.connect();
  } catch (const StoreError& error) {
    log::error("spool", {{"error", error.what()}, {"next", "callbacks get 503 until it can be written"}});
  }
}

int serve_fastcgi(const Arguments& arguments, const Config& config, Fd listener, Listener whose) {
  const Fd signals = take_signals();  // before any thread, so that all have them blocked
  unsetenv("GATEWAY_INTERFACE");      // whatever a process manager left there: the deliverer is no CGI program
  const SystemClock clock;
  Settings settings(config);
  ProcessInfo self{"receiver", host_name(), getpid(), clock.wall(), describe(config.actions), ""};
  const std::string socket = whose == Listener::ours ? config.listen : "standard input";
  log::notice("start",
              {{"version", ALERTSPOOL_VERSION}, {"how", "fastcgi"}, {"socket", socket}, {"store", spool_name(config)}});
  log::notice("config", {{"file", config.path}});

  Store store(config.store, StoreUse::receive, clock);
  look_at(store);
  WakeSender wake(wake_path(config));
  RefusalLog refusals(clock);
  Committer committer(store, clock, [&](std::size_t stored) {
    if (stored > 0) wake.call();
  });
  FastCgi fastcgi(
      std::move(listener), whose, [&] { return settings.get(); }, committer, refusals, clock);
  DelivererProcess deliverer(deliver_command(arguments, "--child"), kOwnExecutable);

  SteadyTime next_announce{};
  for (Signal signal = Signal::none; signal != Signal::stop; signal = next_signal(signals)) {
    if (signal == Signal::reload) {
      reload(arguments, config, settings, self);
      next_announce = {};
      deliverer.signal(SIGHUP);
    }
    const SteadyTime now = clock.steady();
    if (now >= next_announce) {
      committer.announce(self);
      next_announce = now + kTick;
    }
    const SteadyTime until = config.deliver ? std::min(now + kTick, deliverer.proceed(now)) : now + kTick;
    pollfd signalled{signals.get(), POLLIN, 0};
    poll(&signalled, 1, static_cast<int>(std::chrono::ceil<milliseconds>(until - now).count()));
  }

  // The deliverer ends beside us: what is stored from now on waits in the spool.
  log::notice("stop", {{"next", "requests in flight are answered"}});
  const SteadyTime deadline = clock.steady() + kGrace;
  deliverer.stop();
  if (!fastcgi.stop(deadline)) log::warning("stop", {{"error", "some connections were still open"}});
  if (!committer.stop(deadline)) {
    log::error("stop", {{"error", "the spool does not answer"}, {"next", "ends without waiting for it"}});
    _exit(kTryLater);
  }
  store.leave(self);
  refusals.flush(true);
  deliverer.wait(deadline);
  return kOk;
}

/// The web server's variables are a stranger's words (HTTP_*), and GATEWAY_INTERFACE would make a receiver of it.
void keep_only_own_variables() {
  std::vector<std::string> kept;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ"})
    if (const char* value = std::getenv(name)) kept.insert(kept.end(), {name, value});
  clearenv();
  for (std::size_t i = 0; i < kept.size(); i += 2) setenv(kept[i].c_str(), kept[i + 1].c_str(), 1);
}

int serve_one_request(const Arguments& arguments) {
  (void)signal(SIGPIPE, SIG_IGN);
  const SystemClock clock;
  try {
    const Config config = config_of(arguments);
    Store store(config.store, StoreUse::receive, clock);
    RefusalLog refusals(clock);
    const bool stored = serve_cgi(config.receiver(), store, refusals, clock, environ);
    refusals.flush(true);
    store.leave_open();
    if (!stored || !config.deliver) return kOk;
  } catch (const ConfigError&) {
    discard_body(clock);
    write_all(STDOUT_FILENO, Response{503, "not configured", "Retry-After: 60\r\n"}.text());
    throw;
  }
  // Not the web server's standard error: it waits until everybody has closed it.
  keep_only_own_variables();
  spawn_detached(deliver_command(arguments, "--once"), -1, -1, kOwnExecutable);
  return kOk;
}

int run(const Arguments& arguments) {
  umask(007);
  const bool handed_over = is_listening_socket(STDIN_FILENO);
  if (!handed_over && is_cgi()) return serve_one_request(arguments);
  const Config config = config_of(arguments);
  if (handed_over) return serve_fastcgi(arguments, config, take_standard_input(), Listener::handed_over);
  if (!config.listen.empty())
    return serve_fastcgi(arguments, config, listen_unix(config.listen, config.listen_group), Listener::ours);
  throw UsageError(
      "no listening socket on standard input, and no `listen` in " + config.path +
      ": set listen = /run/alertspool/alertspool.sock, or let spawn-fcgi, systemd or the web server start it");
}

}  // namespace

const Verb kServeVerb{"serve", "", "the receiver: FastCGI on a socket, or CGI under a web server", {}, run};

}  // namespace alertspool
