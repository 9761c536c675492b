/// CommandAction: runs a command for each alert. alertspool-command(7) is the contract with the command.

#pragma once

#include "base/child.h"
#include "deliver/action.h"
#include "deliver/action_config.h"

#include <map>

namespace alertspool {

/// What an exit means: 0 delivered, a code of give-up-exit failed, everything else later.
Outcome outcome_of(const Ending& ending, const RetryPolicy& policy);

class CommandAction final : public Action {
public:
  explicit CommandAction(ActionConfig config);

  /// `parallel` less what runs; none for a second after a command could not be started: the next could not either.
  int room() const noexcept override;
  void start(Task task, SteadyTime now) override;
  void poll_for(std::vector<pollfd>& fds, SteadyTime& until) const override;
  void proceed(SteadyTime now) override;
  void terminate(SteadyTime now) override;

private:
  void remove_ended();

  ActionConfig config_;
  std::vector<std::string> base_environment_;
  std::map<std::int64_t, Child> running_;        ///< by alert id
  SteadyTime paused_until_ = SteadyTime::min();  // min: not paused
};

}  // namespace alertspool
