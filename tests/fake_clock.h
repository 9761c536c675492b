/// A clock that stands still until a test moves it.

#pragma once

#include "base/time.h"

#include <functional>
#include <vector>

namespace alertspool {

class FakeClock final : public Clock {
public:
  WallTime wall() const noexcept override { return wall_; }
  SteadyTime steady() const noexcept override { return steady_; }

  void advance(milliseconds time) {
    steady_ += time;
    set_wall(wall_ + time);
  }
  void set_wall(WallTime time) {
    for (const auto& changed : changed_) changed(time);
    wall_ = time;
  }
  /// `changed` is told the time now and whenever it changes.
  void on_change(std::function<void(WallTime)> changed) {
    changed(wall_);
    changed_.push_back(std::move(changed));
  }

private:
  WallTime wall_{milliseconds(1'600'000'000'000)};
  SteadyTime steady_ = std::chrono::steady_clock::now();
  std::vector<std::function<void(WallTime)>> changed_;
};

}  // namespace alertspool
