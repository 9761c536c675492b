/// receive(): what to do with one request, decided from the request and the configuration alone. Stores nothing itself.

#pragma once

#include "alert/authorise.h"
#include "alert/route.h"
#include "base/log.h"
#include "base/time.h"
#include "store/committer.h"
#include "store/types.h"
#include "web/request.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace alertspool {

/// For a whole request, from its first byte: then it is cut short.
inline constexpr milliseconds kRequestDeadline{2000};

struct ReceiverSettings {
  Access access;
  std::size_t max_body = 65536;
  std::vector<Route> routes;
};

/// A refusal: for the log and the counters.
struct Refused {
  std::string
      reason;  ///< what it is counted under: `address`, `token`, `account`, `method`, `length`, `too-large`, ...
  std::string detail;  ///< what was wrong, and which setting would have let it in
  std::string address;
  bool allowed_address = false;
};

/// One of: an answer now; a body to be read (then receive()); a callback to be stored first (then answer_stored()); a
/// probe that wants to know whether the spool can be written (then answer_probe()).
struct Decision {
  enum class Kind { answer, read, store, probe };
  Kind kind = Kind::answer;
  Response response;
  std::optional<Refused> refused;  ///< also beside `store`: an undecodable body of an allowed sender is kept
  std::optional<Incoming> incoming;
  std::size_t length = 0;  ///< of `read`: of the body, as announced
  Fields url;              ///< of `read`: the URL's parameters without the token
  std::string address;     ///< for the log, as are these:
  std::string token;       ///< its name
  std::string account;     ///< userId
  std::string alarm;
};

/// What can be decided before the body is read: an answer for a refused address or token, a bad method or length; a
/// probe; `read`.
Decision receive_head(const ReceiverSettings& settings, const Request& request);

/// REQUIRES: receive_head() decided `read`, and the body was read as far as it came.
Decision receive(const ReceiverSettings& settings, Decision decision, Request request, WallTime now);

/// 200 `accepted 42`, 200 `duplicate 42`, 400, 413 or 415 for an undecodable one that is now kept, 503 with
/// Retry-After. Needs nothing of `decision.incoming`, which the store may have taken.
Response answer_stored(const Decision& decision, const PutResult& result);

/// 200 `ready`, or 503 with the reason in the log only.
Response answer_probe(bool healthy);

/// A callback answered 503 and a probe answered 503 are refusals too: the sender is who we expect.
Refused not_stored(const Decision& decision, const NotStored& why);
RefusalCount count_of(const Refused& refused, WallTime now);

/// The `accept` line: id, address, token's name, account, alarm, duplicate or not.
void log_accept(log::Batch& batch, const Decision& decision, const Put& put);

}  // namespace alertspool
