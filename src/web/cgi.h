/// CGI: one request from the environment and standard input, answered on standard output (RFC 3875).

#pragma once

#include "base/time.h"
#include "web/receive.h"

namespace alertspool {

class Store;
class RefusalLog;

/// Reads the request, stores, answers, closes standard output. Returns whether something was stored (so that the caller
/// starts a deliverer). Reads for kRequestDeadline at the longest. Never throws: what fails is a 503 or a 500 and a log
/// line.
bool serve_cgi(const ReceiverSettings& settings, Store& store, RefusalLog& refusals, const Clock& clock,
               char** environment);

/// Reads standard input to its end or until it pauses. Under mod_cgid it is one socket with standard output, which an
/// unread body resets, and the answer is lost.
void discard_body(const Clock& clock) noexcept;

}  // namespace alertspool
