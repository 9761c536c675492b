#include "web/fastcgi_codec.h"

#include "base/fd.h"

#include <fcgiapp.h>
#include <fcgios.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>

namespace alertspool {

namespace {

thread_local RecordGuard* guard = nullptr;  // of the request that this thread reads

}  // namespace

void FastCgiCodec::prepare() {
  // FCGX_Init installs handlers of its own, which let a process hang at SIGTERM.
  constexpr std::array kSignals{SIGPIPE, SIGUSR1, SIGTERM};
  std::array<struct sigaction, kSignals.size()> before{};
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before[i]);
  const int error = FCGX_Init();
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  if (error != 0) throw std::runtime_error("cannot start libfcgi: error " + std::to_string(error));
}

FastCgiCodec::FastCgiCodec(int fd) : request_(std::make_unique<FCGX_Request>()) {
  // Without a listening socket, FCGX_Accept_r fails after a bad request instead of accepting by itself.
  FCGX_InitRequest(request_.get(), -1, 0);
  request_->ipcFd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (request_->ipcFd < 0) fail_with_errno("duplicate of a connection");
}

FastCgiCodec::~FastCgiCodec() {
  request_->detached = 1;
  FCGX_Free(request_.get(), 1);
}

bool FastCgiCodec::read_head(Request& request) {
  // Of no request, or of the one that is finished: else FCGX_Accept_r closes first.
  request_->keepConnection = 1;
  // What libfcgi closes after a bad request is the duplicate; detached, it does so without draining it for 2 s.
  request_->detached = 1;
  all_read_ = false;
  guard_ = {};  // what libfcgi had read ahead it has thrown away
  guard = &guard_;
  // A head that was cut between two parameters passes for a whole one but for the error.
  if (FCGX_Accept_r(request_.get()) != 0 || FCGX_GetError(request_->in) != 0) return false;
  keep_asked_ = request_->keepConnection != 0;
  for (char** entry = request_->envp; *entry != nullptr; ++entry) set_parameter(request, *entry);
  return true;
}

void FastCgiCodec::read_body(Request& request, std::size_t announced) {
  // One byte more than announced, which must not come: a truncated stream ends like a whole one but for its error.
  request.body.resize(announced + 1);
  guard = &guard_;
  const int got = FCGX_GetStr(request.body.data(), static_cast<int>(announced + 1), request_->in);
  request.body.resize(static_cast<std::size_t>(got));
  all_read_ = request.body.size() <= announced && FCGX_GetError(request_->in) == 0;
  request.whole = all_read_ && request.body.size() == announced;
}

FastCgiCodec::Next FastCgiCodec::answer(const Response& response) {
  const std::string text = response.text();
  FCGX_PutStr(text.data(), static_cast<int>(text.size()), request_->out);
  request_->keepConnection = 1;
  FCGX_Finish_r(request_.get());
  if (!all_read_) return Next::linger;
  const bool written = request_->ipcFd >= 0;
  return written && keep_asked_ ? Next::keep : Next::close;
}

}  // namespace alertspool

/// libfcgi's only way to read from a socket: what stands in the program comes before what stands in the library.
extern "C" int OS_Read(int fd, char* buffer, std::size_t size) {
  using alertspool::guard;
  // A receive time-out makes SIGCONT and debuggers end it with EINTR (signal(7)).
  ssize_t got = guard != nullptr && guard->broken() ? 0 : TEMP_FAILURE_RETRY(read(fd, buffer, size));
  if (got > 0 && guard != nullptr) got = static_cast<ssize_t>(guard->pass({buffer, static_cast<std::size_t>(got)}));
  return static_cast<int>(got);
}
