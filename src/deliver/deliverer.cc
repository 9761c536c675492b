#include "deliver/deliverer.h"

#include "deliver/worker.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <random>
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
  add_workers();
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
  if (once && !trouble_.empty()) throw StoreError(trouble_);
}

void Deliverer::add_workers() {
  for (const ActionConfig& config : settings_.actions)
    workers_.emplace_back(config, make_action_(config), settings_.host);
}

/// At once for an action that has nothing to do, at the next portion for what can wait, else when time has come.
SteadyTime Deliverer::next_visit() const {
  if (!trouble_.empty()) return earliest_visit_;
  if (results_.marks.size() >= kManyMarks || std::ranges::any_of(workers_, &Worker::hungry)) return SteadyTime::min();
  if (!results_.marks.empty() || std::ranges::any_of(workers_, &Worker::wanted)) return earliest_visit_;
  const SteadyTime renewal = busy() ? leased_ + lease_.length / 3 : SteadyTime::max();
  return std::max(earliest_visit_, std::min({next_look_, next_announce_, next_purge_, renewal}));
}

void Deliverer::visit_store(SteadyTime now) {
  earliest_visit_ = now + kGather;
  try {
    // After a lease that ended (this process was stopped, or the store was away) what has not started may be in other
    // hands: it goes back, which the store ignores when it is.
    if (busy() && now - leased_ >= lease_.length)
      for (Worker& worker : workers_) worker.release(results_);
    if (!results_.marks.empty() || now >= next_look_) {  // an end makes the next of its lane due
      std::ranges::for_each(workers_, &Worker::look);
      next_look_ = now + kLook;
    }
    store_.mark(results_.marks, lease_);
    results_.marks.clear();
    keep_lease(now);
    if (now >= next_announce_) {
      store_.announce(process_);
      next_announce_ = now + kAnnounce;
    }
    for (Worker& worker : workers_)
      if (const int wanted = worker.wanted(); wanted > 0)
        worker.add(store_.claim(worker.config().route.action, wanted, lease_, farthest_due(worker.config().retry)));
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

/// After an error at once: what was claimed may be more than the answer told, and that goes back.
void Deliverer::keep_lease(SteadyTime now) {
  if (!busy()) leased_ = now;
  if (trouble_.empty() && now - leased_ < lease_.length / 3) return;
  std::vector<Held> held;
  for (const Worker& worker : workers_) worker.add_held(held);
  store_.renew(held, lease_);
  leased_ = now;
}

/// Those who found nothing look again in a second, or when the first becomes due.
void Deliverer::plan_look(SteadyTime now) {
  std::vector<std::string> names;
  for (const Worker& worker : workers_)
    if (!worker.looks() && !worker.retired()) names.push_back(worker.config().route.action);
  const auto due = store_.next_due(names, lease_);
  if (due && *due > clock_.wall()) next_look_ = std::min<SteadyTime>(next_look_, now + (*due - clock_.wall()));
}

/// Logged first: a crash in between logs it twice, but never loses it.
void Deliverer::purge(SteadyTime now) {
  next_purge_ = now + kPurge;
  const WallTime before = clock_.wall() - settings_.keep;
  const std::vector<Expired> expired = store_.expired(before, kPurgedAtOnce);
  for (const Expired& alert : expired)
    if (alert.failed)
      log::warning("purge",
                   {{"id", std::to_string(alert.alert_id)}, {"alarm", alert.alarm}, {"error", "never delivered"}});
  if (!expired.empty()) store_.purge(expired, before);
  if (expired.size() == kPurgedAtOnce) next_purge_ = now;
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
    std::ranges::for_each(workers_, &Worker::look);
  }
  if (fds[1].revents != 0) {
    const Events::Signal signal = events_.on_signal();
    if (signal == Events::Signal::stop) stop();
    if (signal == Events::Signal::reload && !stopping()) reload();
  }
  if (fds[2].revents != 0) {
    events_.lifetime_fd = -1;  // end of file, once and for all
    if (!stopping()) stop();   // who is told to stop as well still gets the time to do so
  }
}

void Deliverer::reload() {
  next_announce_ = clock_.steady();
  if (!events_.reload(settings_, process_.note)) return;
  for (Worker& worker : workers_) worker.retire(results_);
  std::erase_if(workers_, [](const Worker& worker) { return worker.idle(); });
  add_workers();
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
  const bool looks = trouble_.empty() && std::ranges::any_of(workers_, &Worker::looks);
  return stopping() || (once && !looks);
}

}  // namespace alertspool
