#include "web/receive.h"

#include "alert/decode.h"
#include "base/text.h"
#include "fuzz.h"
#include "receiver.h"
#include "store/view.h"

#include <algorithm>

namespace alertspool {
namespace {

using namespace fuzz;

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == text.npos;
}

/// Nothing of the secret goes where an operator or a command may see it, unless the sender also says it elsewhere.
void keeps_the_secret(const Request& request, const Decision& decision) {
  for (const std::string& said :
       {request.method, request.remote_addr, request.content_type, request.content_length, request.body})
    if (said.find(kSecret) != said.npos) return;
  const DecodeResult body = decode(request.content_type, request.body);
  if (const auto* decoded = std::get_if<Decoded>(&body))
    if (value_of(decoded->pairs, "userId").find(kSecret) != std::string::npos) return;
  const auto absent = [](std::string_view text) { demand(text.find(kSecret) == text.npos, "a secret is kept"); };
  absent(decision.response.body);
  if (decision.refused) absent(decision.refused->detail);
  if (decision.incoming) demand(!parse_query(decision.incoming->callback.query).has_token, "no token is stored");
}

void stored(const Request& request, const Decision& decision) {
  const Incoming& incoming = *decision.incoming;
  demand(request.method == "POST" && request.remote_addr_count == 1, "only what was POSTed is stored");
  const Query query = parse_query(request.query_string);
  demand(query.secret == kSecret && decision.token == "ops", "only with a token");
  demand(decision.address.starts_with("47.74.206."), "only from an address that is allowed");
  demand(parse_number(request.content_length) == request.body.size() && request.body.size() <= receiver().max_body,
         "only a body of the length that was announced, within max-body");
  demand(incoming.callback.body == request.body && incoming.callback.remote_addr == decision.address, "as it came");
  demand(parse_query(incoming.callback.query).parameters == query.parameters, "with the URL's parameters");
  demand(is_hex(incoming.digest, 64), "a digest is SHA-256");
  if (!incoming.undecodable.empty()) {
    demand(incoming.actions.empty() && decision.refused && decision.response.status >= 400, "undecodable is refused");
    return demand(is_printable(incoming.undecodable), "the reason is one line");
  }
  demand(is_hex(incoming.alarm, 16), "an alarm is 16 digits");
  demand(std::ranges::count(incoming.actions, "all") == 1, "a route without match takes everything");
  const Alert alert = alert_of(incoming.callback);
  demand(alert.digest == incoming.digest && alert.alarm == incoming.alarm && alert.severity == incoming.severity,
         "what is stored decodes to the same alert");
  demand(value_of(alert.fields, "userId") == "12", "only of an account that is listed");
}

}  // namespace

/// Method, address, query, content type and length on a line each; the rest is the body. An empty length is the body's.
FUZZ_TARGET(receive) {
  Request request;
  request.method = take_line(input);
  request.remote_addr = take_line(input);
  request.remote_addr_count = 1;
  request.query_string = take_line(input);
  request.content_type = take_line(input);
  request.content_length = take_line(input);
  if (request.content_length.empty()) request.content_length = std::to_string(input.size());
  Decision decision = receive_head(receiver(), request);
  if (decision.kind == Decision::Kind::read) {
    request.body = input.substr(0, decision.length + 1);
    request.whole = request.body.size() == decision.length;
    decision = receive(receiver(), std::move(decision), request, {});
  }
  keeps_the_secret(request, decision);
  demand((decision.kind == Decision::Kind::store) == decision.incoming.has_value(), "what is stored is there");
  if (decision.incoming) stored(request, decision);
  if (decision.kind == Decision::Kind::probe)
    return demand(request.method == "GET" || request.method == "HEAD", "a probe asks and says nothing");
  const Response response = decision.incoming ? answer_stored(decision, Put{42, false}) : decision.response;
  demand(is_response(response), "an answer is one line of text");
  demand(response.status == 200 ? response.body == "accepted 42" : decision.refused.has_value(),
         "what is not accepted is refused, with a reason for the log");
}

}  // namespace alertspool
