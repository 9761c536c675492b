/// Deliverer: claims what is due, hands it to the actions, marks how it ended. One thread, one poll(2).
///
/// It works in batches: one claim takes what an action can start in about a second, one mark records all that ended in
/// some milliseconds. Deliveries of one alarm and one action run one after another; when one must be tried again later,
/// those behind it go back to the spool.

#pragma once

#include "base/time.h"
#include "deliver/worker.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace alertspool {

class Store;

struct DelivererSettings {
  std::vector<ActionConfig> actions;
  milliseconds keep{90LL * 24 * 3600 * 1000};
  std::string host;
};

class Deliverer {
public:
  using MakeAction = std::function<std::unique_ptr<Action>(const ActionConfig&)>;

  /// What else the loop heeds. Descriptors of -1 are not looked at.
  struct Events {
    int wake_fd = -1;  ///< readable: there may be something to do; `on_wake` drains it
    std::function<void()> on_wake;
    int signal_fd = -1;  ///< readable: `on_signal` takes one signal and says what it means
    enum class Signal { none, stop, reload };
    std::function<Signal()> on_signal;
    /// The new settings; false: the old ones stay, `note` says why (`status` shows it).
    std::function<bool(DelivererSettings&, std::string& note)> reload;
    int lifetime_fd = -1;  ///< end of file: the receiver is gone, the same as stop
  };

  Deliverer(Store& store, const Clock& clock, DelivererSettings settings, Events events, MakeAction make_action);

  /// REQUIRES: store.become_deliverer() and take_over(). Until told to stop: then what has not started is released and
  /// running commands get TERM, 5 s later (or when told again) KILL. `once`: until nothing is due and nothing runs.
  /// Store errors are logged and waited out; what ended meanwhile is marked when the store is back. `once` throws
  /// StoreError when nothing runs, as it cannot know what is due.
  void run(bool once);

private:
  bool busy() const { return !std::ranges::all_of(workers_, &Worker::idle); }
  bool stopping() const noexcept { return stop_by_ != SteadyTime::max(); }
  bool finished(bool once) const;
  void add_workers();

  SteadyTime next_visit() const;
  void visit_store(SteadyTime now);
  void keep_lease(SteadyTime now);
  void plan_look(SteadyTime now);
  void purge(SteadyTime now);

  void wait();
  void reload();
  void stop();

  Store& store_;
  const Clock& clock_;
  DelivererSettings settings_;
  Events events_;
  MakeAction make_action_;
  ProcessInfo process_;
  Lease lease_;
  std::vector<Worker> workers_;  ///< those that are retired among them
  Results results_;              ///< marks that are not in the store yet
  std::string trouble_;          ///< with the store
  SteadyTime stop_by_ = SteadyTime::max();
  SteadyTime earliest_visit_{};
  SteadyTime leased_{};  ///< all that is claimed is leased from then on at least
  SteadyTime next_look_{};
  SteadyTime next_announce_{};
  SteadyTime next_purge_{};
};

}  // namespace alertspool
