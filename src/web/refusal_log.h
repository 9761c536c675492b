/// RefusalLog: a refused callback may be a lost alert, so every refusal is one log line; but not a thousand equal ones:
/// per reason and address one line, then one a minute with the count of those left out. Thread-safe. Bounded: beyond
/// 1,000 pairs the oldest are forgotten.

#pragma once

#include "base/time.h"
#include "web/receive.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace alertspool {

class RefusalLog {
public:
  explicit RefusalLog(const Clock& clock) : clock_(clock) {}

  void refused(const Refused& refused);
  /// Writes the counts left out that are older than a minute; all of them with `all` (at the end).
  void flush(bool all);

private:
  struct Entry {
    Refused last;
    SteadyTime written;
    std::uint64_t left_out = 0;

    void write(SteadyTime now);
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;  ///< by reason and address
};

}  // namespace alertspool
