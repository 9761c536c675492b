/// deliver: the deliverer.

#include "base/child.h"
#include "base/log.h"
#include "base/wake.h"
#include "deliver/action.h"
#include "main/process.h"
#include "store/url.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace alertspool {
namespace {

/// Another `--once` may hold the spool and yet have looked for the last time before our alert was stored; such a one is
/// gone a moment later. One that stays will see that alert. And a root who looks at the spool makes files that are his
/// for a moment: then it cannot be opened.
constexpr int kLooksOnce = 3;
constexpr int kLookMs = 1000;

/// Of a file. Another reason why it cannot be seen is the store's to tell, and all of a server.
bool absent(const std::string& spool) noexcept {
  return !spool.empty() && access(spool.c_str(), F_OK) != 0 && errno == ENOENT;
}

/// Waits as a standby until we are the one deliverer of this spool. False: it shall end instead. `settings` follow
/// reloads meanwhile.
bool wait_for_turn(Store& store, const std::string& spool, bool once, const Deliverer::Events& events,
                   DelivererSettings& settings) {
  std::string told, note;
  for (int looks = 1;; ++looks) {
    const bool last = once && looks == kLooksOnce;
    std::string why_not = "no spool yet: " + spool;
    try {
      if (!absent(spool)) {
        why_not = "another deliverer serves this spool";
        if (store.become_deliverer()) {
          store.take_over();
          return true;
        }
      }
    } catch (const StoreError& error) {
      if (last) throw;
      why_not = error.what();
    }
    if (last) return false;
    if (!once && why_not != told) log::notice("standby", {{"why", why_not}, {"next", "looks again each second"}});
    told = why_not;
    pollfd fds[] = {{events.signal_fd, POLLIN, 0}, {events.lifetime_fd, POLLIN, 0}};
    poll(fds, 2, kLookMs);
    if (fds[1].revents != 0) return false;  // end of file: nothing is ever written to that pipe
    const Signal signal = events.on_signal();
    if (signal == Signal::stop) return false;
    if (signal == Signal::reload) events.reload(settings, note);
  }
}

int run(const Arguments& arguments) {
  umask(077);
  prctl(PR_SET_NAME, "alertspool");  // a receiver starts us as /proc/self/exe
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // what escapes from a command comes here, so that it is reaped
  const Fd signals = take_signals();
  const bool once = arguments.has("once");
  const Config config = config_of(arguments, Secrets::leave);
  const std::string spool = file_of_url(config.store.url);
  if (once && absent(spool)) return kOk;  // nothing was ever stored
  DelivererSettings settings = config.deliverer();
  const SystemClock clock;
  Store store(config.store, StoreUse::deliver, clock);

  Deliverer::Events events;
  events.signal_fd = signals.get();
  events.on_signal = [&] {
    const Signal signal = next_signal(signals);
    reap_strangers();
    return signal;
  };
  events.reload = [&](DelivererSettings& changed, std::string& note) {
    const std::optional<Config> after = reload_config(arguments, Secrets::leave, note);
    if (after) changed = after->deliverer();
    return after.has_value();
  };
  events.lifetime_fd = arguments.has("child") ? STDIN_FILENO : -1;
  if (!wait_for_turn(store, spool, once, events, settings)) return kOk;

  std::optional<WakeReceiver> wake;
  try {
    events.wake_fd = wake.emplace(wake_path(config)).fd();
    events.on_wake = [&] { wake->drain(); };
  } catch (const std::system_error& error) {
    log::warning("wake", {{"error", error.what()}, {"next", "looks each second"}});
  }
  log::notice(
      "start",
      {{"version", ALERTSPOOL_VERSION}, {"how", once ? "deliver once" : "deliver"}, {"store", spool_name(config)}});
  Deliverer(store, clock, std::move(settings), std::move(events), make_action).run(once);
  if (once) store.leave_open();
  log::notice("stop", {});
  return kOk;
}

}  // namespace

const Verb kDeliverVerb{"deliver",
                        "",
                        "the deliverer: runs the actions until told to stop",
                        {{"once", "", "deliver all that is due, then end"},
                         {"child", "", "end when standard input does (a receiver starts it so)"}},
                        run};

}  // namespace alertspool
