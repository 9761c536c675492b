#include "deliver/command_action.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace alertspool {
namespace {

constexpr std::chrono::seconds kPause{1};

}  // namespace

Outcome outcome_of(const Ending& ending, const RetryPolicy& policy) {
  using Kind = Outcome::Kind;
  Kind kind = Kind::later;
  if (ending.kind == Ending::Kind::exited) {
    const auto& give_up = policy.give_up_exit;
    if (std::find(give_up.begin(), give_up.end(), ending.code) != give_up.end()) kind = Kind::failed;
    if (ending.code == 0) kind = Kind::delivered;
  }
  return {kind, ending.text(), ending.output, ending.duration};
}

CommandAction::CommandAction(ActionConfig config)
    : config_(std::move(config)), base_environment_(base_environment(environ)) {}

int CommandAction::room() const noexcept {
  if (paused_until_ != SteadyTime::min()) return 0;
  return std::max(0, config_.parallel - static_cast<int>(running_.size()));
}

void CommandAction::start(Task task, SteadyTime now) {
  Command command;
  command.argv = config_.run;
  command.environment = environment(task.view.stored, task.attempt, task.view.alert, base_environment_);
  command.input = to_json(task.view, {{"action", json_string(task.attempt.action)},
                                      {"attempt", std::to_string(task.attempt.number)}}) +
                  "\n";
  command.timeout = config_.timeout;
  const Child& child = running_.try_emplace(task.alert_id, command, now).first->second;
  if (!child.done()) return;
  // Only E2BIG is this alert's own trouble.
  if (child.ending().code != E2BIG) paused_until_ = now + kPause;
  remove_ended();
}

void CommandAction::poll_for(std::vector<pollfd>& fds, SteadyTime& until) const {
  if (paused_until_ != SteadyTime::min()) until = std::min(until, paused_until_);
  for (const auto& [id, child] : running_) child.poll_for(fds, until);
}

void CommandAction::proceed(SteadyTime now) {
  if (now >= paused_until_) paused_until_ = SteadyTime::min();
  for (auto& [id, child] : running_) child.proceed(now);
  remove_ended();
}

void CommandAction::remove_ended() {
  std::erase_if(running_, [this](const auto& running) {
    const auto& [id, child] = running;
    if (child.done()) ended_.push_back({id, outcome_of(child.ending(), config_.retry)});
    return child.done();
  });
}

void CommandAction::terminate(SteadyTime now) {
  for (auto& [id, child] : running_) child.terminate(now);
}

}  // namespace alertspool
