#include "deliver/deliverer.h"

#include "deliver/worker.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
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

std::string names_of(const std::vector<ActionConfig>& configs) {
  std::string names;
  for (const ActionConfig& config : configs) names += (names.empty() ? "" : " ") + config.route.action;
  return names;
}

int poll_timeout(SteadyTime now, SteadyTime until) {
  if (until <= now) return 0;
  return static_cast<int>(std::chrono::ceil<milliseconds>(std::min(until, now + kLook) - now).count());
}

}  // namespace

struct Deliverer::Impl {
  void run(bool once);

  std::vector<Worker> make_workers(const DelivererSettings& of) const;
  template <typename Predicate>
  bool any(Predicate predicate) const {
    return std::any_of(workers.begin(), workers.end(), predicate);
  }

  SteadyTime next_visit() const;
  void visit_store(SteadyTime now);
  void keep_lease(SteadyTime now);
  void announce(SteadyTime now);
  void claim(Worker& worker);
  void plan_look(SteadyTime now);
  void purge(SteadyTime now);

  void wait();
  void look();
  void heed_signal();
  void reload();
  void stop();
  bool stopping() const noexcept { return stop_by != SteadyTime::max(); }
  bool busy() const {
    return any([](const Worker& worker) { return !worker.idle(); });
  }
  bool finished(bool once) const;

  Store& store;
  const Clock& clock;
  DelivererSettings settings;
  Events events;
  MakeAction make_action;
  ProcessInfo process{};
  Lease lease{};
  std::vector<Worker> workers{};  // those that are retired among them
  Results results{};              // marks that are not in the store yet
  std::string trouble{};          // with the store
  SteadyTime stop_by = SteadyTime::max();
  SteadyTime earliest_visit{};
  SteadyTime leased{};  // all that is claimed is leased from then on at least
  SteadyTime next_look{};
  SteadyTime next_announce{};
  SteadyTime next_purge{};
};

Deliverer::Deliverer(Store& store, const Clock& clock, DelivererSettings settings, Events events,
                     MakeAction make_action)
    : impl_(new Impl{store, clock, std::move(settings), std::move(events), std::move(make_action)}) {
  ProcessInfo& process = impl_->process;
  process = {"deliverer", impl_->settings.host, getpid(), clock.wall(), names_of(impl_->settings.actions), ""};
  impl_->lease.host = process.host;
  impl_->lease.owner = process.host + '-' + std::to_string(process.pid) + '-' + to_rfc3339(process.started);
  impl_->workers = impl_->make_workers(impl_->settings);
}

Deliverer::~Deliverer() = default;

void Deliverer::run(bool once) {
  impl_->run(once);
}

void Deliverer::Impl::run(bool once) {
  while (true) {
    if (clock.steady() >= next_visit()) visit_store(clock.steady());
    for (Worker& worker : workers) worker.advance(clock, results);
    results.lines.write();
    if (finished(once)) break;
    wait();
  }
  store.leave(process);
}

std::vector<Worker> Deliverer::Impl::make_workers(const DelivererSettings& of) const {
  std::vector<Worker> made;
  for (const ActionConfig& config : of.actions) made.emplace_back(config, make_action(config), of.host);
  return made;
}

/// At once for an action that has nothing to do, at the next portion for what can wait, else when time has come.
SteadyTime Deliverer::Impl::next_visit() const {
  if (!trouble.empty()) return earliest_visit;
  if (results.marks.size() >= kManyMarks || any([](const Worker& worker) { return worker.hungry(); }))
    return SteadyTime::min();
  if (!results.marks.empty() || any([](const Worker& worker) { return worker.wanted() > 0; })) return earliest_visit;
  const SteadyTime renewal = busy() ? leased + lease.length / 3 : SteadyTime::max();
  return std::max(earliest_visit, std::min({next_look, next_announce, next_purge, renewal}));
}

void Deliverer::Impl::visit_store(SteadyTime now) {
  earliest_visit = now + kGather;
  try {
    keep_lease(now);
    if (!results.marks.empty()) store.mark(results.marks, lease);
    if (!results.marks.empty() || now >= next_look) look();  // an end makes the next of its lane due
    results.marks.clear();
    if (now >= next_announce) announce(now);
    for (Worker& worker : workers) claim(worker);
    plan_look(now);
    if (now >= next_purge) purge(now);
    if (!trouble.empty()) log::notice("spool", {{"next", "works again"}});
    trouble.clear();
  } catch (const StoreError& error) {
    earliest_visit = now + kStorePause;
    if (trouble != error.what()) log::error("spool", {{"error", error.what()}, {"next", "again each second"}});
    trouble = error.what();
  }
}

/// After a lease that ended (this process was stopped, or the store was away) what has not started may be in other
/// hands: it goes back, which the store ignores when it is.
void Deliverer::Impl::keep_lease(SteadyTime now) {
  if (!busy()) leased = now;
  if (now - leased >= lease.length)
    for (Worker& worker : workers) worker.release(results);
  if (now - leased < lease.length / 3) return;
  store.renew(lease);
  leased = now;
}

void Deliverer::Impl::announce(SteadyTime now) {
  store.announce(process);
  next_announce = now + kAnnounce;
}

void Deliverer::Impl::claim(Worker& worker) {
  const int wanted = worker.wanted();
  if (wanted == 0) return;
  const ActionConfig& config = worker.config();
  worker.add(store.claim(config.route.action, wanted, lease, farthest_due(config.retry)), wanted);
}

/// Those who found nothing look again in a second, or when the first becomes due.
void Deliverer::Impl::plan_look(SteadyTime now) {
  std::vector<std::string> names;
  for (const Worker& worker : workers)
    if (!worker.looks() && !worker.retired()) names.push_back(worker.config().route.action);
  next_look = now + kLook;
  const auto due = store.next_due(names, lease);
  if (due && *due > clock.wall()) next_look = std::min<SteadyTime>(next_look, now + (*due - clock.wall()));
}

/// Logged first: a crash in between logs it twice, but never loses it.
void Deliverer::Impl::purge(SteadyTime now) {
  const WallTime before = clock.wall() - settings.keep;
  const std::vector<Expired> expired = store.expired(before, kPurgedAtOnce);
  for (const Expired& alert : expired)
    if (alert.failed)
      log::warning("purge",
                   {{"id", std::to_string(alert.alert_id)}, {"alarm", alert.alarm}, {"error", "never delivered"}});
  if (!expired.empty()) store.purge(expired, before);
  next_purge = expired.size() < kPurgedAtOnce ? now + kPurge : now;
}

void Deliverer::Impl::wait() {
  std::vector<pollfd> fds = {
      {events.wake_fd, POLLIN, 0}, {events.signal_fd, POLLIN, 0}, {events.lifetime_fd, POLLIN, 0}};
  SteadyTime until = std::min(next_visit(), stop_by);
  for (const Worker& worker : workers) worker.poll_for(fds, until);
  poll(fds.data(), fds.size(), poll_timeout(clock.steady(), until));
  if (fds[0].revents != 0) {
    events.on_wake();
    look();
  }
  if (fds[1].revents != 0) heed_signal();
  if (fds[2].revents != 0) {
    events.lifetime_fd = -1;  // end of file, once and for all
    stop();
  }
}

void Deliverer::Impl::look() {
  for (Worker& worker : workers) worker.look();
}

void Deliverer::Impl::heed_signal() {
  const Events::Signal signal = events.on_signal();
  if (signal == Events::Signal::stop) stop();
  if (signal == Events::Signal::reload && !stopping()) reload();
}

void Deliverer::Impl::reload() {
  DelivererSettings changed = settings;
  process.note.clear();
  next_announce = clock.steady();
  try {
    if (!events.reload(changed, process.note)) return;
    std::vector<Worker> fresh = make_workers(changed);
    for (Worker& worker : workers) worker.retire(results);
    std::erase_if(workers, [](const Worker& worker) { return worker.idle(); });
    std::move(fresh.begin(), fresh.end(), std::back_inserter(workers));
  } catch (const std::system_error& error) {
    process.note = std::string("configuration stale: ") + error.what();
    log::error("config", {{"error", error.what()}, {"next", "the old configuration stays"}});
    return;
  }
  settings = std::move(changed);
  process.actions = names_of(settings.actions);
}

/// The second time what still runs is killed.
void Deliverer::Impl::stop() {
  const SteadyTime now = clock.steady();
  stop_by = std::min(stop_by, now + kLongestEnd);
  next_purge = SteadyTime::max();
  for (Worker& worker : workers) worker.terminate(now, results);
}

bool Deliverer::Impl::finished(bool once) const {
  if (clock.steady() >= stop_by) return true;
  if (busy() || !results.marks.empty()) return false;
  const bool looks = trouble.empty() && any([](const Worker& worker) { return worker.looks(); });
  return stopping() || (once && !looks);
}

}  // namespace alertspool
