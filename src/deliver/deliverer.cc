#include "deliver/deliverer.h"

#include "deliver/worker.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <system_error>
#include <utility>

namespace alertspool {
namespace {

using std::chrono::seconds;

constexpr milliseconds kGather{10};  // between visits to the store: many small ones would hold up the receiver
constexpr std::size_t kManyMarks = 512;
constexpr seconds kLook{1};  // for what no wake-up told of
constexpr seconds kAnnounce{10};
constexpr std::chrono::hours kPurge{1};
constexpr int kPurgedAtOnce = 500;
constexpr seconds kStorePause{1};   // after an error
constexpr seconds kLongestEnd{10};  // TERM, 5 s, KILL, and the last marks

}  // namespace

Deliverer::Deliverer(Store& store, const Clock& clock, DelivererSettings settings, Events events,
                     MakeAction make_action)
    : store_(store),
      clock_(clock),
      settings_(std::move(settings)),
      events_(std::move(events)),
      make_action_(std::move(make_action)) {
  process_ = {"deliverer", settings_.host, getpid(), clock_.wall(), describe(settings_.actions), ""};
  lease_.host = process_.host;
  lease_.owner = process_.host + '-' + std::to_string(process_.pid) + '-' + std::to_string(std::random_device()());
  workers_ = make_workers(settings_);
}

void Deliverer::run(bool once) {
  while (true) {
    if (clock_.steady() >= next_visit()) visit_store(clock_.steady());
    for (Worker& worker : workers_) worker.advance(clock_, leased_ + lease_.length, results_);
    results_.lines.write();
    if (finished(once)) break;
    wait();
  }
  store_.leave(process_);
}

std::vector<Worker> Deliverer::make_workers(const DelivererSettings& of) const {
  std::vector<Worker> made;
  for (const ActionConfig& config : of.actions) made.emplace_back(config, make_action_(config), of.host);
  return made;
}

/// At once for an action that has nothing to do, at the next portion for what can wait, else when time has come.
SteadyTime Deliverer::next_visit() const {
  if (!trouble_.empty()) return earliest_visit_;
  if (results_.marks.size() >= kManyMarks || any([](const Worker& worker) { return worker.hungry(); }))
    return SteadyTime::min();
  if (!results_.marks.empty() || any([](const Worker& worker) { return worker.wanted() > 0; })) return earliest_visit_;
  const SteadyTime renewal = busy() ? leased_ + lease_.length / 3 : SteadyTime::max();
  return std::max(earliest_visit_, std::min({next_look_, next_announce_, next_purge_, renewal}));
}

void Deliverer::visit_store(SteadyTime now) {
  earliest_visit_ = now + kGather;
  try {
    keep_lease(now);
    if (!results_.marks.empty()) store_.mark(results_.marks, lease_);
    if (!results_.marks.empty() || now >= next_look_) look();  // an end makes the next of its lane due
    results_.marks.clear();
    if (now >= next_announce_) {
      store_.announce(process_);
      next_announce_ = now + kAnnounce;
    }
    for (Worker& worker : workers_) claim(worker);
    plan_look(now);
    if (now >= next_purge_) purge(now);
    if (!trouble_.empty()) log::notice("spool", {{"next", "works again"}});
    trouble_.clear();
  } catch (const StoreError& error) {
    earliest_visit_ = now + kStorePause;
    if (trouble_ != error.what()) log::error("spool", {{"error", error.what()}, {"next", "again each second"}});
    trouble_ = error.what();
  }
}

/// After a lease that ended (this process was stopped, or the store was away) what has not started may be in other
/// hands: it goes back, which the store ignores when it is.
void Deliverer::keep_lease(SteadyTime now) {
  if (!busy()) leased_ = now;
  if (now - leased_ >= lease_.length)
    for (Worker& worker : workers_) worker.release(results_);
  if (now - leased_ < lease_.length / 3) return;
  store_.renew(lease_);
  leased_ = now;
}

void Deliverer::claim(Worker& worker) {
  const int wanted = worker.wanted();
  if (wanted == 0) return;
  const ActionConfig& config = worker.config();
  worker.add(store_.claim(config.route.action, wanted, lease_, farthest_due(config.retry)));
}

/// Those who found nothing look again in a second, or when the first becomes due.
void Deliverer::plan_look(SteadyTime now) {
  std::vector<std::string> names;
  for (const Worker& worker : workers_)
    if (!worker.looks() && !worker.retired()) names.push_back(worker.config().route.action);
  next_look_ = now + kLook;
  const auto due = store_.next_due(names, lease_);
  if (due && *due > clock_.wall()) next_look_ = std::min<SteadyTime>(next_look_, now + (*due - clock_.wall()));
}

/// Logged first: a crash in between logs it twice, but never loses it.
void Deliverer::purge(SteadyTime now) {
  const WallTime before = clock_.wall() - settings_.keep;
  const std::vector<Expired> expired = store_.expired(before, kPurgedAtOnce);
  for (const Expired& alert : expired)
    if (alert.failed)
      log::warning("purge",
                   {{"id", std::to_string(alert.alert_id)}, {"alarm", alert.alarm}, {"error", "never delivered"}});
  if (!expired.empty()) store_.purge(expired, before);
  next_purge_ = expired.size() < kPurgedAtOnce ? now + kPurge : now;
}

void Deliverer::wait() {
  std::vector<pollfd> fds = {
      {events_.wake_fd, POLLIN, 0}, {events_.signal_fd, POLLIN, 0}, {events_.lifetime_fd, POLLIN, 0}};
  SteadyTime until = std::min(next_visit(), stop_by_);
  for (const Worker& worker : workers_) worker.poll_for(fds, until);
  const SteadyTime now = clock_.steady();
  const auto left = std::chrono::ceil<milliseconds>(std::clamp(until, now, now + kLook) - now);
  poll(fds.data(), fds.size(), static_cast<int>(left.count()));
  if (fds[0].revents != 0) {
    events_.on_wake();
    look();
  }
  if (fds[1].revents != 0) {
    const Events::Signal signal = events_.on_signal();
    if (signal == Events::Signal::stop) stop();
    if (signal == Events::Signal::reload && !stopping()) reload();
  }
  if (fds[2].revents != 0) {
    events_.lifetime_fd = -1;  // end of file, once and for all
    stop();
  }
}

void Deliverer::look() {
  for (Worker& worker : workers_) worker.look();
}

void Deliverer::reload() {
  DelivererSettings changed = settings_;
  process_.note.clear();
  next_announce_ = clock_.steady();
  try {
    if (!events_.reload(changed, process_.note)) return;
    std::vector<Worker> fresh = make_workers(changed);
    for (Worker& worker : workers_) worker.retire(results_);
    std::erase_if(workers_, [](const Worker& worker) { return worker.idle(); });
    std::move(fresh.begin(), fresh.end(), std::back_inserter(workers_));
  } catch (const std::system_error& error) {
    process_.note = std::string("configuration stale: ") + error.what();
    log::error("config", {{"error", error.what()}, {"next", "the old configuration stays"}});
    return;
  }
  settings_ = std::move(changed);
  process_.actions = describe(settings_.actions);
}

/// The second time what still runs is killed.
void Deliverer::stop() {
  const SteadyTime now = clock_.steady();
  stop_by_ = std::min(stop_by_, now + kLongestEnd);
  next_purge_ = SteadyTime::max();
  for (Worker& worker : workers_) worker.terminate(now, results_);
}

bool Deliverer::finished(bool once) const {
  if (clock_.steady() >= stop_by_) return true;
  if (busy() || !results_.marks.empty()) return false;
  const bool looks = trouble_.empty() && any([](const Worker& worker) { return worker.looks(); });
  return stopping() || (once && !looks);
}

}  // namespace alertspool
