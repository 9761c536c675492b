// `alertspool deliver`: the deliverer.

#include "base/child.h"
#include "base/log.h"
#include "base/wake.h"
#include "deliver/action.h"
#include "deliver/deliverer.h"
#include "main/signals.h"
#include "main/verb.h"
#include "store/store.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace alertspool {

namespace {

using namespace std::chrono_literals;

constexpr milliseconds kLook = 1s;

/// Another `--once` may hold the spool and yet have looked for the last time before our alert was stored; such a one is
/// gone a moment later. One that stays will see that alert.
constexpr int kLooksOnce = 3;

int lifetime_of(const Arguments& arguments) {
  return arguments.has("child") ? STDIN_FILENO : -1;
}

Deliverer::Events::Signal take_signal(Signals& signals) {
  using Signal = Deliverer::Events::Signal;
  switch (signals.next()) {
    case Signals::Kind::stop:
      return Signal::stop;
    case Signals::Kind::reload:
      return Signal::reload;
    case Signals::Kind::child:
      reap_strangers();
      break;
    case Signals::Kind::none:
      break;
  }
  return Signal::none;
}

bool reload(const Arguments& arguments, DelivererSettings& settings, std::string& note) {
  try {
    const Config config = config_of(arguments, Secrets::leave);
    settings = config.deliverer();
    log::notice("config", {{"file", config.path}});
    return true;
  } catch (const ConfigError& error) {
    note = std::string("configuration stale: ") + error.what();
    log::error("config", {{"error", error.what()}, {"next", "the old configuration stays"}});
    return false;
  }
}

/// Empty: we are the one deliverer of this spool now. Else why not yet.
std::string try_to_take_over(Store& store, const std::string& spool, bool once) {
  if (access(spool.c_str(), F_OK) != 0) return "no spool yet: " + spool;
  try {
    if (!store.become_deliverer()) return "another deliverer serves this spool";
    store.take_over();
    return "";
  } catch (const StoreError& error) {
    if (once) throw;
    return error.what();
  }
}

/// Waits as a standby until we are the deliverer. False: it shall end instead. `settings` follow reloads meanwhile.
bool wait_for_turn(Store& store, const Arguments& arguments, const std::string& spool, Signals& signals,
                   DelivererSettings& settings) {
  const bool once = arguments.has("once");
  std::string told;
  for (int looks = 1;; ++looks) {
    const std::string why_not = try_to_take_over(store, spool, once);
    if (why_not.empty()) return true;
    if (once && looks == kLooksOnce) return false;
    if (!once && why_not != told) log::notice("standby", {{"why", why_not}, {"next", "looks again each second"}});
    told = why_not;
    const int lifetime_fd = lifetime_of(arguments);
    pollfd fds[] = {{signals.fd(), POLLIN, 0}, {lifetime_fd, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(kLook.count()));
    if (fds[1].revents != 0) return false;  // end of file: nothing is ever written to that pipe
    const auto signal = take_signal(signals);
    if (signal == Deliverer::Events::Signal::stop) return false;
    std::string note;
    if (signal == Deliverer::Events::Signal::reload) reload(arguments, settings, note);
  }
}

int deliver(const Arguments& arguments) {
  if (!arguments.positional.empty()) throw UsageError("deliver takes no argument");
  umask(077);
  prctl(PR_SET_NAME, "alertspool");  // a receiver starts us as /proc/self/exe
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // what escapes from a command comes here, so that it is reaped
  Signals signals;
  const bool once = arguments.has("once");
  const Config config = config_of(arguments, Secrets::leave);
  if (once && access(spool_path(config).c_str(), F_OK) != 0) return kOk;  // nothing was ever stored
  DelivererSettings settings = config.deliverer();
  const SystemClock clock;
  Store store(config.store, StoreUse::deliver, clock);
  if (!wait_for_turn(store, arguments, spool_path(config), signals, settings)) return kOk;

  WakeReceiver wake(wake_path(config));
  log::notice(
      "start",
      {{"version", ALERTSPOOL_VERSION}, {"how", once ? "deliver once" : "deliver"}, {"store", config.store.url}});
  Deliverer::Events events;
  events.wake_fd = wake.fd();
  events.on_wake = [&] { wake.drain(); };
  events.signal_fd = signals.fd();
  events.on_signal = [&] { return take_signal(signals); };
  events.reload = [&](DelivererSettings& changed, std::string& note) { return reload(arguments, changed, note); };
  events.lifetime_fd = lifetime_of(arguments);
  Deliverer(store, clock, std::move(settings), std::move(events), make_action).run(once);
  log::notice("stop", {});
  return kOk;
}

}  // namespace

const Verb kDeliverVerb{"deliver",
                        "",
                        "the deliverer: runs the actions until told to stop",
                        {{"once", "", "deliver all that is due, then end"},
                         {"child", "", "end when standard input does (a receiver starts it so)"}},
                        deliver};

}  // namespace alertspool
