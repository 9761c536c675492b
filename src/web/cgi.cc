#include "web/cgi.h"

#include "base/fd.h"
#include "base/log.h"
#include "store/store.h"
#include "web/refusal_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>

namespace alertspool {

namespace {

constexpr milliseconds kQuiet{100};  // what an unwanted body may pause for before it counts as ended

/// Up to `size` bytes of standard input into `to`; 0 at its end, at the deadline and on an error.
std::size_t read_some(char* to, std::size_t size, milliseconds wait) noexcept {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (poll(&input, 1, static_cast<int>(wait.count())) <= 0) return 0;
  const ssize_t got = read(STDIN_FILENO, to, size);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

/// The web server may leave standard input open behind the body (RFC 3875 section 4.2): who waits for its end hangs.
void read_body(Request& request, std::size_t length, const Clock& clock) {
  const SteadyTime deadline = clock.steady() + kRequestDeadline;
  request.body.resize(length);
  std::size_t have = 0;
  while (have < length) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock.steady());
    const std::size_t got = read_some(&request.body[have], length - have, std::max(left, milliseconds(0)));
    if (got == 0) break;
    have += got;
  }
  request.body.resize(have);
  char more = 0;
  request.whole = have == length && read_some(&more, 1, milliseconds(0)) == 0;
}

Decision decide(const ReceiverSettings& settings, const Clock& clock, char** environment) {
  Request request;
  for (; *environment != nullptr; ++environment) set_parameter(request, *environment);
  Decision decision = receive_head(settings, request);
  if (decision.kind != Decision::Kind::read) {
    discard_body(clock);
    return decision;
  }
  read_body(request, decision.length, clock);
  return receive(settings, std::move(decision), std::move(request), clock.wall());
}

/// A refusal that cannot be counted is logged, and answered all the same.
void count(Store& store, const RefusalCount& refusal) {
  try {
    store.count_refusals({&refusal, 1});
  } catch (const StoreError& error) {
    log::error("spool", {{"failed", "counting a refusal"}, {"why", error.what()}});
  }
}

/// Throws StoreError.
Response act_on(const Decision& decision, Store& store, bool& stored) {
  if (decision.kind == Decision::Kind::answer) return decision.response;
  if (decision.kind == Decision::Kind::probe) {
    store.check_room();
    store.connect();
    return answer_probe(true);
  }
  const Put put = store.put({&*decision.incoming, 1}).front();
  stored = true;
  log::Batch line;
  log_accept(line, decision, put);
  line.write();
  return answer_stored(decision, put);
}

}  // namespace

void discard_body(const Clock& clock) noexcept {
  std::array<char, 4096> waste;
  const SteadyTime deadline = clock.steady() + kRequestDeadline;
  while (clock.steady() < deadline && read_some(waste.data(), waste.size(), kQuiet) > 0) {
  }
}

bool serve_cgi(const ReceiverSettings& settings, Store& store, RefusalLog& refusals, const Clock& clock,
               char** environment) {
  bool stored = false;
  Decision decision;
  Response response{500, "internal error", ""};
  try {
    decision = decide(settings, clock, environment);
    if (decision.refused) {
      refusals.refused(*decision.refused);
      count(store, count_of(*decision.refused, clock.wall()));
    }
    response = act_on(decision, store, stored);
  } catch (const StoreError& error) {
    const NotStored why{error.what()};
    refusals.refused(not_stored(decision, why));
    response = decision.kind == Decision::Kind::probe ? answer_probe(false) : answer_stored(decision, why);
  } catch (const std::exception& error) {
    log::error("request", {{"why", error.what()}, {"next", "answered 500"}});
  }
  write_all(STDOUT_FILENO, response.text());
  // The web server sends the answer on when standard output ends; the descriptor stays taken.
  const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!null || dup2(null.get(), STDOUT_FILENO) < 0) close(STDOUT_FILENO);
  return stored;
}

}  // namespace alertspool
