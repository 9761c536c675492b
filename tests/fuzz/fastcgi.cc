#include "web/fastcgi_codec.h"

#include "base/fd.h"
#include "fuzz.h"
#include "receiver.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <csignal>
#include <optional>
#include <vector>

namespace alertspool {
namespace {

using namespace fuzz;

constexpr unsigned kBegin = 1, kParams = 4, kInput = 5;
constexpr std::size_t kRead = 8192;  // what libfcgi asks the socket for at once

/// One request as the records on the wire say it (FastCGI 1.0, section 3.3), nothing but those of one request.
struct Wire {
  std::string_view bytes;
  std::size_t at = 0;

  // Of the request that is read now:
  unsigned id = 0;
  bool keep = false;
  bool ended = false;  ///< the stream had its end

  unsigned byte(std::size_t i) const { return static_cast<unsigned char>(bytes[at + i]); }

  /// Takes one record's content as far as it is there; nullopt: it is not the one that is due.
  std::optional<std::string_view> take_record(unsigned type) {
    if (bytes.size() - at < 8 || byte(0) != 1 || byte(1) != type) return std::nullopt;
    const unsigned number = byte(2) << 8 | byte(3), size = byte(4) << 8 | byte(5), padding = byte(6);
    if (type == kBegin ? number == 0 || size != 8 : number != id) return std::nullopt;
    if (padding > 0 && (type == kBegin || (type == kParams && size == 0))) return std::nullopt;
    id = number;
    ended = size == 0;
    const std::string_view content = bytes.substr(at += 8, size);
    // What stands behind the end of the body is not read.
    at += content.size() +
          (type == kInput && ended ? 0 : std::min<std::size_t>(padding, bytes.size() - at - content.size()));
    return content;
  }

  /// The contents up to the end of the stream.
  std::string take_stream(unsigned type) {
    std::string stream;
    for (ended = false; !ended;) {
      const auto content = take_record(type);
      if (!content) break;
      stream += *content;
    }
    return stream;
  }

  /// Parameters as NAME=VALUE; nullopt when nothing that could be answered came.
  std::optional<std::vector<std::string>> take_head() {
    const auto begin = take_record(kBegin);
    if (!begin || begin->size() != 8) return std::nullopt;
    const std::string content(*begin);
    const unsigned role = static_cast<unsigned char>(content[0]) << 8 | static_cast<unsigned char>(content[1]);
    if (role < 1 || role > 3) return std::nullopt;
    keep = (content[2] & 1) != 0;
    const std::string pairs = take_stream(kParams);
    if (!ended) return std::nullopt;
    std::vector<std::string> parameters;
    std::size_t i = 0;
    const auto length = [&]() -> std::optional<std::size_t> {
      const auto digit = [&] { return static_cast<std::size_t>(static_cast<unsigned char>(pairs[i++])); };
      if (i >= pairs.size()) return std::nullopt;
      const std::size_t first = digit();
      if (first < 128) return first;
      if (pairs.size() - i < 3) return std::nullopt;
      const std::size_t second = digit(), third = digit();
      return (first & 127) << 24 | second << 16 | third << 8 | digit();
    };
    while (i < pairs.size()) {
      const auto name = length(), value = name ? length() : name;
      if (!value || pairs.size() - i < *name + *value) return std::nullopt;
      const std::string entry = pairs.substr(i, *name) + "=" + pairs.substr(i + *name, *value);
      parameters.push_back(entry.c_str());  // a C string: up to the first NUL
      i += *name + *value;
    }
    return parameters;
  }

  /// What libfcgi had read ahead is gone with the answer.
  void next() {
    bytes.remove_prefix(std::min(bytes.size(), (at + kRead - 1) / kRead * kRead));
    at = 0;
  }
};

Request as_request(const std::vector<std::string>& parameters) {
  Request request;
  for (const std::string& parameter : parameters) set_parameter(request, parameter);
  return request;
}

/// Both ends of a connection; ours never waits.
struct Connection {
  Fd ours, theirs;

  explicit Connection(std::string_view bytes) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_with_errno("socketpair");
    ours = Fd(ends[0]);
    theirs = Fd(ends[1]);
    const timeval patience{0, 1000};
    setsockopt(ours.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    demand(send(theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
               static_cast<ssize_t>(bytes.size()),
           "a socket takes an input");
    shutdown(theirs.get(), SHUT_WR);
  }

  std::string answers() {
    static std::array<char, 65536> buffer;
    const ssize_t got = recv(theirs.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }
};

/// As FastCgi does it, with a store that takes everything.
Response serve(FastCgiCodec& codec, Request request, const Wire& wire, const std::string& body) {
  Decision decision = receive_head(receiver(), request);
  if (decision.kind == Decision::Kind::read) {
    codec.read_body(request, decision.length);
    demand(request.body == body.substr(0, decision.length + 1), "the body is what the records say");
    demand(request.whole == (wire.ended && body.size() == decision.length), "a body of another length is not whole");
    const bool whole = request.whole;
    decision = receive(receiver(), std::move(decision), std::move(request), {});
    demand(whole || !decision.incoming, "what is not whole is not stored");
  } else if (request.content_length.find_first_not_of('0') == std::string::npos) {
    codec.read_body(request, receiver().max_body);
  }
  if (decision.kind == Decision::Kind::probe) return answer_probe(true);
  return decision.incoming ? answer_stored(decision, Put{42, false}) : decision.response;
}

}  // namespace

/// The bytes of one connection, all there before the first is read.
FUZZ_TARGET(fastcgi) {
  static const bool prepared = (FastCgiCodec::prepare(), signal(SIGPIPE, SIG_IGN), true);
  demand(prepared, "libfcgi starts");
  if (input.empty() || input.size() > 65536) return;
  Connection connection(input);
  FastCgiCodec codec(connection.ours.get());
  Wire wire{input};
  for (;;) {
    const auto parameters = wire.take_head();
    Request request;
    demand(codec.read_head(request) == parameters.has_value(), "a head is one when the records say so");
    if (!parameters) return;
    const Request expected = as_request(*parameters);
    demand(request.method == expected.method && request.query_string == expected.query_string &&
               request.content_type == expected.content_type && request.content_length == expected.content_length &&
               request.remote_addr == expected.remote_addr && request.remote_addr_count == expected.remote_addr_count,
           "the parameters are what the records say");
    const std::string body = wire.take_stream(kInput);
    const Response response = serve(codec, std::move(request), wire, body);
    demand(is_response(response), "an answer is one line of text");
    const auto next = codec.answer(response);
    demand(connection.answers().find(response.text()) != std::string::npos, "the answer is written");
    demand(next != FastCgiCodec::Next::keep || (wire.ended && wire.keep), "only what is in step is kept");
    if (next != FastCgiCodec::Next::keep) return;
    wire.next();
  }
}

}  // namespace alertspool
