#include "deliver/worker.h"

#include "store/view.h"

#include <algorithm>
#include <utility>

namespace alertspool {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

constexpr int kMostClaimed = 512;  // bounds memory, and what a crash repeats

Task task_of(const Claimed& claimed) {
  Task task;
  task.alert_id = claimed.alert_id;
  task.view.stored = {claimed.alert_id, to_rfc3339(claimed.callback.received), claimed.callback.test};
  task.view.state = "running";
  task.view.duplicates = claimed.duplicates;
  task.view.alert = alert_of(claimed.callback);
  task.attempt = {claimed.action, claimed.attempt};
  return task;
}

log::Level level_of(Mark::Kind kind) noexcept {
  if (kind == Mark::Kind::delivered) return log::Level::info;
  return kind == Mark::Kind::failed ? log::Level::error : log::Level::warning;
}

}  // namespace

Worker::Worker(ActionConfig config, std::unique_ptr<Action> action, std::string host)
    : config_(std::move(config)), action_(std::move(action)), host_(std::move(host)), random_(std::random_device()()) {}

int Worker::wanted() const noexcept {
  const int most = std::min(kMostClaimed, std::max({action_->room(), rate_, ended_}));
  const int waiting = ready_.empty() ? 0 : waiting_;  // what is behind one that runs takes no place from others
  return retired_ || !look_ || 2 * waiting > most ? 0 : most - waiting;
}

void Worker::add(Claims claims) {
  look_ = more_ = claims.more;
  for (Claimed& claimed : claims.taken) {
    Lane& lane = lanes_[claimed.alarm];
    if (!lane.busy && lane.waiting.empty()) ready_.push_back(claimed.alarm);
    lane.waiting.push_back(std::move(claimed));
    ++waiting_;
  }
}

void Worker::add_held(std::vector<Held>& held) const {
  for (const auto& [id, run] : running_) held.push_back({id, run.claimed.action});
  for (const auto& [alarm, lane] : lanes_)
    for (const Claimed& claimed : lane.waiting) held.push_back({claimed.alert_id, claimed.action});
}

void Worker::advance(const Clock& clock, SteadyTime lease_end, Results& results) {
  action_->proceed(clock.steady());
  do {
    for (const Ended& ended : action_->take_ended()) end(ended, clock.wall(), results);
  } while (start_next(clock, lease_end));
  measure(clock.steady());
}

/// Starts one of each lane that is ready, as long as there is room and the lease lasts: whoever was stopped in between
/// must not overtake the one who has them now. False: none.
bool Worker::start_next(const Clock& clock, SteadyTime lease_end) {
  bool started = false;
  for (std::size_t left = ready_.size(); left > 0 && action_->room() > 0 && clock.steady() < lease_end; --left) {
    Lane& lane = lanes_.at(ready_.front());
    ready_.pop_front();
    Claimed claimed = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    lane.busy = true;
    --waiting_;
    Task task = task_of(claimed);
    claimed.callback.body.clear();
    running_.emplace(task.alert_id, Running{std::move(claimed), clock.wall()});
    action_->start(std::move(task), clock.steady());
    started = true;
  }
  return started;
}

void Worker::end(const Ended& ended, WallTime now, Results& results) {
  const auto found = running_.extract(ended.alert_id);
  if (!found) return;
  const Running& run = found.mapped();
  ++ended_;
  const Mark mark = mark_of(run, ended.outcome, now);
  std::string next = mark.kind == Mark::Kind::failed ? "failed" : "delivered";
  if (mark.kind == Mark::Kind::later)
    next = terminated_ ? "the next deliverer" : "again in " + to_text(duration_cast<seconds>(mark.due - now));
  results.lines.add(level_of(mark.kind), "attempt",
                    {{"id", std::to_string(run.claimed.alert_id)},
                     {"action", config_.route.action},
                     {"alarm", run.claimed.alarm},
                     {"attempt", std::to_string(mark.attempt)},
                     {"host", host_},
                     {"outcome", mark.outcome},
                     {"duration", to_text(mark.duration)},
                     {"next", next}});
  results.marks.push_back(mark);

  const auto lane = lanes_.find(run.claimed.alarm);
  if (mark.kind == Mark::Kind::later) release(lane->second, results);
  lane->second.busy = false;
  if (lane->second.waiting.empty())
    lanes_.erase(lane);
  else
    ready_.push_back(lane->first);
}

Mark Worker::mark_of(const Running& run, const Outcome& outcome, WallTime now) {
  Mark mark{run.claimed.alert_id, run.claimed.action, Mark::Kind::delivered, {}, run.claimed.attempt, run.started,
            outcome.duration,     outcome.text,       outcome.output};
  if (outcome.kind == Outcome::Kind::delivered) return mark;
  const double jitter = std::generate_canonical<double, 16>(random_);
  const auto pause = next_try(config_.retry, now - run.claimed.callback.received, jitter);
  if (outcome.kind == Outcome::Kind::failed || (!pause && !terminated_)) {
    mark.kind = Mark::Kind::failed;
    if (!pause) mark.outcome += ", given up after " + to_text(config_.retry.give_up_after);
  } else {
    mark.kind = Mark::Kind::later;
    mark.due = terminated_ ? now : now + *pause;
  }
  return mark;
}

void Worker::release(Lane& lane, Results& results) {
  for (const Claimed& claimed : lane.waiting)
    results.marks.push_back({claimed.alert_id, claimed.action, Mark::Kind::released});
  waiting_ -= static_cast<int>(lane.waiting.size());
  lane.waiting.clear();
}

void Worker::release(Results& results) {
  for (auto& [alarm, lane] : lanes_) release(lane, results);
  std::erase_if(lanes_, [](const auto& entry) { return !entry.second.busy; });
  ready_.clear();
}

void Worker::retire(Results& results) {
  release(results);
  retired_ = true;
  look_ = more_ = false;
}

void Worker::terminate(SteadyTime now, Results& results) {
  retire(results);
  terminated_ = true;
  action_->terminate(now);
}

void Worker::measure(SteadyTime now) noexcept {
  const auto elapsed = duration_cast<milliseconds>(now - measured_);
  if (elapsed < seconds(1)) return;
  rate_ = static_cast<int>(ended_ * 1000LL / elapsed.count());
  ended_ = 0;
  measured_ = now;
}

}  // namespace alertspool
