/// Worker: one action at work: what was claimed for it, what runs, and a mark for each that ended.
///
/// Claimed deliveries wait in lanes, one for each alarm; those of a lane go one after another. When one of them must be
/// tried again later, those behind it are released.

#pragma once

#include "base/log.h"
#include "deliver/action.h"
#include "deliver/action_config.h"
#include "store/types.h"

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace alertspool {

/// What a deliverer's workers hand over: marks for the store, lines for the log.
struct Results {
  std::vector<Mark> marks;
  log::Batch lines;
};

class Worker {
public:
  Worker(ActionConfig config, std::unique_ptr<Action> action, std::string host);

  const ActionConfig& config() const noexcept { return config_; }

  /// Something may be due: wanted() is asked again.
  void look() noexcept { look_ = !retired_; }
  bool looks() const noexcept { return look_; }
  /// How many to claim now: what it can start within about a second, in portions that are worth a transaction.
  int wanted() const noexcept;
  /// It wants more, has nothing to start, and knows that there is more.
  bool hungry() const noexcept { return more_ && ready_.empty() && wanted() > 0; }
  void add(Claims claims);
  /// What it claimed that has not ended.
  void add_held(std::vector<Held>& held) const;

  /// Goes on with what runs and, until `lease_end`, starts what there is room for.
  void advance(const Clock& clock, SteadyTime lease_end, Results& results);
  void poll_for(std::vector<pollfd>& fds, SteadyTime& until) const { action_->poll_for(fds, until); }

  /// Releases what has not started.
  void release(Results& results);
  /// Releases and claims no more: it ends what runs.
  void retire(Results& results);
  /// Retires and ends what runs: TERM, at the second call KILL. Those that must be tried again are due at once.
  void terminate(SteadyTime now, Results& results);

  bool retired() const noexcept { return retired_; }
  bool idle() const noexcept { return running_.empty() && waiting_ == 0; }

private:
  struct Lane {
    bool busy = false;  ///< one of it runs
    std::deque<Claimed> waiting;
  };
  struct Running {
    Claimed claimed;  ///< without its body
    WallTime started;
  };

  bool start_next(const Clock& clock, SteadyTime lease_end);
  void end(const Ended& ended, WallTime now, Results& results);
  Mark mark_of(const Running& run, const Outcome& outcome, WallTime now);
  void release(Lane& lane, Results& results);
  void measure(SteadyTime now) noexcept;

  ActionConfig config_;
  std::unique_ptr<Action> action_;
  std::string host_;
  std::minstd_rand random_;
  std::unordered_map<std::string, Lane> lanes_;        ///< by alarm; those that are busy or have something waiting
  std::deque<std::string> ready_;                      ///< alarms whose lane is not busy and has something waiting
  int waiting_ = 0;                                    ///< in all lanes
  std::unordered_map<std::int64_t, Running> running_;  ///< by alert id
  bool look_ = true;
  bool more_ = false;
  bool retired_ = false;
  bool terminated_ = false;
  int ended_ = 0;  ///< since measured_
  int rate_ = 0;   ///< ended per second, before that
  SteadyTime measured_{};
};

}  // namespace alertspool
