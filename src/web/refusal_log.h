/// RefusalLog: a refused callback may be a lost alert, so every refusal is one log line; but not a thousand equal ones:
/// per reason and address one line, then one a minute with the count of those left out. Thread-safe. Bounded: beyond
/// 1,000 pairs the oldest are forgotten.

#pragma once

#include "base/time.h"
#include "web/receive.h"

#include <memory>

namespace alertspool {

class RefusalLog {
public:
  explicit RefusalLog(const Clock& clock);
  ~RefusalLog();

  void refused(const Refused& refused);
  /// Writes the counts left out that are older than a minute; all of them with `all` (at the end).
  void flush(bool all);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alertspool
