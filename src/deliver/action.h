/// Action: where alerts go. One interface for the two kinds and for the tests' fakes.

#pragma once

#include "alert/json.h"
#include "base/time.h"

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

namespace alertspool {

/// What becomes of one try, as the design expects it.
struct Outcome {
  enum class Kind { delivered, later, failed };
  Kind kind = Kind::delivered;
  std::string text;    ///< `exit 0`, `written`, `cannot write to /dev/log: No such file or directory`
  std::string output;  ///< of a command
  milliseconds duration{0};
};

/// One delivery to be tried.
struct Task {
  std::int64_t alert_id = 0;  ///< tells it from the others of this action
  AlertView view;             ///< the alert; its deliveries are empty
  Attempt attempt;
};

struct Ended {
  std::int64_t alert_id = 0;
  Outcome outcome;
};

/// Entirely passive: the deliver loop owns the thread, the clock and poll(2).
class Action {
public:
  virtual ~Action() = default;

  /// How many more tasks it would start now.
  virtual int room() const noexcept = 0;
  /// REQUIRES: room() > 0. It may end at once: see take_ended().
  virtual void start(Task task, SteadyTime now) = 0;
  /// Adds what it waits for, and until when at the latest.
  virtual void poll_for(std::vector<pollfd>& fds, SteadyTime& until) const = 0;
  virtual void proceed(SteadyTime now) = 0;
  /// All that ended since the last call.
  std::vector<Ended> take_ended() { return std::exchange(ended_, {}); }
  /// Ends what runs: TERM now, KILL after the grace of 5 s, or at the second call.
  virtual void terminate(SteadyTime now) = 0;

protected:
  std::vector<Ended> ended_;
};

}  // namespace alertspool
