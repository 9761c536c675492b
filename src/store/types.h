/// What goes into the store and comes out of it: plain values.

#pragma once

#include "alert/fields.h"
#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace alertspool {

/// A callback as it is kept: enough to decode it again.
struct Callback {
  WallTime received{};
  std::string remote_addr;
  std::string token;  ///< name
  std::string query;  ///< the URL's query without the token, urlencoded
  std::string content_type;
  std::string body;   ///< as it came, any bytes
  bool test = false;  ///< a drill
};

enum class AlarmChange { none, fires, clears };

/// A callback on its way in.
struct Incoming {
  Callback callback;
  std::string digest;
  std::int64_t sent = 0;  ///< the sender's own time in ms, 0 without one: equal for its repeats
  std::string alarm;
  std::string severity;
  AlarmChange change = AlarmChange::none;
  std::vector<std::string> actions;    ///< that take it
  std::vector<std::string> followers;  ///< that would take it if they follow its alarm
  std::vector<std::string> following;  ///< of `actions`, those that follow from now on when it fires
  std::string undecodable;             ///< why, when it could not be decoded: kept without deliveries
};

struct Put {
  std::int64_t id = 0;
  bool duplicate = false;
};

struct RefusalCount {
  std::string reason;  ///< `address`, `token`, `account`, `undecodable`, ...
  std::int64_t count = 0;
  WallTime last{};
  std::string address;           ///< of the last one
  bool allowed_address = false;  ///< a refusal that hurts: the sender is who we expect
};

/// One life of one deliverer.
struct Lease {
  std::string owner;  ///< unique
  std::string host;
  milliseconds length{30'000};
};

struct Claimed {
  std::int64_t alert_id = 0;
  std::string action;
  std::string alarm;
  int attempt = 1;  ///< this one
  int duplicates = 0;
  Callback callback;
};

/// A delivery that was claimed.
struct Held {
  std::int64_t alert_id = 0;
  std::string action;
};

struct Claims {
  std::vector<Claimed> taken;  ///< by id, so that each lane is in order
  bool more = false;           ///< others may be due as well: the next claim goes on
};

struct Mark {
  enum class Kind { delivered, later, failed, released };
  std::int64_t alert_id = 0;
  std::string action;
  Kind kind = Kind::delivered;
  WallTime due{};  ///< for later
  int attempt = 1;
  WallTime started{};
  milliseconds duration{0};
  std::string outcome{};  ///< `exit 0`, `timeout after 30s`
  std::string output{};   ///< of the command, any bytes
};

struct Expired {
  std::int64_t alert_id = 0;
  std::string alarm;
  bool failed = false;
};

struct ProcessInfo {
  std::string role;  ///< `receiver`, `deliverer`
  std::string host;
  int pid = 0;
  WallTime started{};
  std::string actions;  ///< `NAME:DIGEST` of each configured action, blank between
  std::string note;     ///< what is wrong with it, for `status`: `configuration stale: ...`
};

/// One that has announced itself.
struct HeardProcess : ProcessInfo {
  WallTime heard{};  ///< when it last did
};

struct AttemptRecord {
  int number = 0;
  std::string host;
  WallTime started{};
  milliseconds duration{0};
  std::string outcome;
  std::string output;
};

struct DeliveryRecord {
  std::string action;
  std::string state;
  int attempts = 0;
  std::optional<WallTime> due;       ///< empty when it waits behind an earlier one of its alarm, and when it ended
  std::string last;                  ///< outcome of the last attempt
  std::vector<AttemptRecord> tries;  ///< filled by show() only
  std::string output;                ///< of the last attempt
};

/// One alert with its deliveries.
struct Record {
  std::int64_t id = 0;
  Callback callback;
  std::string alarm;
  std::string severity;
  std::string undecodable;
  int duplicates = 0;
  std::vector<DeliveryRecord> deliveries;

  /// The least finished of its deliveries, in the order pending, running, failed, dropped, delivered; `unmatched`
  /// without deliveries; `undecodable`.
  std::string state() const;
};

struct Filter {
  std::string state;
  std::string action;
  std::string alarm;
  std::string token;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
};

struct StateCount {
  std::string action;
  std::string state;
  std::int64_t count = 0;
};

struct Status {
  WallTime now{};  ///< by the store's clock
  std::int64_t alerts = 0;
  std::int64_t unmatched = 0;
  std::int64_t undecodable = 0;
  std::vector<StateCount> deliveries;
  std::optional<WallTime> oldest_waiting;  ///< received, of what is pending or running
  std::optional<WallTime> last_callback;
  std::vector<RefusalCount> refusals;
  std::vector<HeardProcess> processes;
};

}  // namespace alertspool
