/// A clock that stands still until a test moves it.

#pragma once

#include "base/time.h"

namespace alertspool {

class FakeClock final : public Clock {
public:
  WallTime wall() const noexcept override { return wall_; }
  SteadyTime steady() const noexcept override { return steady_; }

  void advance(milliseconds time) {
    wall_ += time;
    steady_ += time;
  }
  void set_wall(WallTime time) { wall_ = time; }

private:
  WallTime wall_{milliseconds(1'600'000'000'000)};
  SteadyTime steady_ = std::chrono::steady_clock::now();
};

}  // namespace alertspool
