/// Deliverer: claims what is due, hands it to the actions, marks how it ended. One thread, one poll(2).
///
/// It works in batches: one claim takes what an action can start in about a second, one mark records all that ended
/// since the last. Deliveries of one alarm and one action run one after another; when one must be tried again later,
/// those behind it go back to the spool.

#pragma once

#include "base/time.h"
#include "deliver/action_config.h"
#include "store/types.h"

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

  /// `wake_fd`: readable when there may be something to do (drained by `on_wake`); `stop_fd`: readable when it shall
  /// end (the receiver closed its pipe, or a signal); `reload`: called when `reload_fd` is readable; returns the new
  /// settings or nothing. Descriptors of -1 are not looked at.
  struct Events {
    int wake_fd = -1;
    std::function<void()> on_wake;
    int signal_fd = -1;  ///< readable when on_signal wants to be called
    enum class Signal { none, stop, reload };
    std::function<Signal()> on_signal;
    std::function<bool(DelivererSettings&, std::string& note)> reload;  ///< false: keep the old ones, note says why
    int lifetime_fd = -1;  ///< end of file: the receiver is gone
  };

  Deliverer(Store& store, const Clock& clock, DelivererSettings settings, Events events, MakeAction make_action);
  ~Deliverer();

  /// REQUIRES: store.become_deliverer(). Runs until told to stop; running commands get their grace. `once`: until
  /// nothing is due. Store errors are logged and waited out.
  void run(bool once);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alertspool
