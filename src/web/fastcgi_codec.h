/// FastCgiCodec: libfcgi as a codec for one connection, and for nothing else. It never accepts, never waits for a close
/// and never closes our descriptor.
///
/// The only file that knows how: checked with libfcgi 2.4.2 (Debian 12), and tests/fastcgi_codec_test.cc fails when
/// another libfcgi behaves differently.

#pragma once

#include "web/record_guard.h"
#include "web/request.h"

#include <cstddef>
#include <memory>

struct FCGX_Request;

namespace alertspool {

class FastCgiCodec {
public:
  /// Once per process, before the first codec. The dispositions of signals stay as they are. Throws std::runtime_error.
  static void prepare();

  /// Works on a duplicate of `fd`, which stays the caller's. Throws std::system_error.
  explicit FastCgiCodec(int fd);
  ~FastCgiCodec();

  /// Reads the next request up to its parameters; blocks as the socket does. False: nothing that could be answered
  /// came, the connection is of no more use.
  bool read_head(Request& request);

  /// Nothing of the request is still to come.
  bool all_here() const noexcept { return guard_.over(); }
  /// Reads the body and the end of the stream; `whole` says whether it was exactly as long as announced.
  /// REQUIRES: read_head() returned true, for this and the next.
  void read_body(Request& request, std::size_t announced);

  /// What may happen to the connection after an answer: another request; close it, all was read; or half-close it and
  /// read on, because closing it now would take the answer from the peer.
  enum class Next { keep, close, linger };
  Next answer(const Response& response);

private:
  std::unique_ptr<FCGX_Request> request_;
  RecordGuard guard_;
  bool keep_asked_ = false;
  bool all_read_ = false;
};

}  // namespace alertspool
