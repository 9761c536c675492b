#include "web/receive.h"

#include "alert/alert.h"
#include "alert/decode.h"
#include "base/text.h"

#include <utility>

namespace alertspool {

namespace {

Decision refuse(Response response, Refused refused) {
  Decision decision;
  decision.response = std::move(response);
  decision.refused = std::move(refused);
  return decision;
}

Decision forbid(const Verdict& verdict, bool allowed_address) {
  return refuse({403, "forbidden", ""}, {name_of(verdict.refusal), verdict.reason, verdict.address, allowed_address});
}

Decision refuse_method(const Request& request, std::string why) {
  return refuse({405, "method not allowed", "Allow: POST, GET, HEAD\r\n"},
                {"method", std::move(why), request.remote_addr, false});
}

/// GET and HEAD come from the console's Test button, which drops the URL's parameters and whose address is outside the
/// published list, and from load balancers.
Decision probe(const ReceiverSettings& settings, const Request& request) {
  const Query query = parse_query(request.query_string);
  if (!query.parameters.empty() || query.too_long)
    return refuse_method(request, request.method + " with parameters is no callback: the sender must POST");
  if (query.has_token) {
    Verdict verdict = authorise_token(settings.access, query);
    verdict.address = request.remote_addr;
    if (verdict.refusal != Refusal::none)
      return forbid(verdict, authorise(settings.access, request.remote_addr, query).refusal != Refusal::address);
  }
  Decision decision;
  decision.kind = Decision::Kind::probe;
  decision.address = request.remote_addr;
  return decision;
}

/// What `read` goes on with, unless it is too long.
Decision check_length(const ReceiverSettings& settings, const Request& request, const std::string& address) {
  const auto limit = [&] { return "max-body is " + std::to_string(settings.max_body) + " bytes"; };
  if (request.query_string.size() > settings.max_body)
    return refuse({413, "query too large", ""},
                  {"too-large", "query longer than a body may be: " + limit(), address, true});
  if (request.content_length.empty())
    return refuse({411, "length required", ""},
                  {"length", "no Content-Length: the web server must buffer request bodies", address, true});
  const auto length = parse_number(request.content_length);
  if (!length)
    return refuse({400, "bad request: bad Content-Length", ""},
                  {"length", "Content-Length is no number: " + request.content_length, address, true});
  if (*length > settings.max_body)
    return refuse({413, "body too large", ""},
                  {"too-large", "Content-Length " + request.content_length + ": " + limit(), address, true});
  Decision decision;
  decision.kind = Decision::Kind::read;
  decision.length = *length;
  return decision;
}

/// The query as it came but for every `token`, however its name is written.
std::string without_token(std::string_view query) {
  std::string kept;
  for (const std::string& part : split(query, '&'))
    if (!parse_query(part).has_token) kept += (kept.empty() ? "" : "&") + part;
  return kept;
}

/// An allowed sender's body that cannot be decoded is kept: a monitoring system's message is never thrown away because
/// it looks new.
void keep_undecodable(Decision& decision, const Undecodable& why) {
  const std::string reason = escape_controls(why.reason);
  decision.response = {why.status, why.status == 400 ? "bad request: " + reason : reason, ""};
  decision.refused = Refused{"undecodable", reason, decision.address, true};
  decision.incoming->digest = sha256_hex(decision.incoming->callback.body);
  decision.incoming->undecodable = reason;
}

void fill(Incoming& incoming, const std::vector<Route>& routes, const Alert& alert) {
  incoming.digest = alert.digest;
  incoming.sent = alert.time_ms.value_or(0);
  incoming.alarm = alert.alarm;
  incoming.severity = alert.severity;
  incoming.change = fires(alert) ? AlarmChange::fires : clears(alert) ? AlarmChange::clears : AlarmChange::none;
  for (const Route& route : routes) {
    if (why_not(route, alert).empty()) {
      incoming.actions.push_back(route.action);
      if (route.follow) incoming.following.push_back(route.action);
    } else if (route.follow) {
      incoming.followers.push_back(route.action);
    }
  }
}

}  // namespace

Decision receive_head(const ReceiverSettings& settings, const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return probe(settings, request);
  if (request.method != "POST") return refuse_method(request, "method '" + request.method + "': callbacks are POSTed");
  if (request.remote_addr_count != 1)
    return refuse({403, "forbidden", ""},
                  {"address",
                   "the web server said REMOTE_ADDR " + std::to_string(request.remote_addr_count) +
                       " times: its configuration must pass it once",
                   request.remote_addr, false});
  Query query = parse_query(request.query_string);
  const Verdict verdict = authorise(settings.access, request.remote_addr, query);
  if (verdict.refusal != Refusal::none) return forbid(verdict, verdict.refusal != Refusal::address);
  Decision decision = check_length(settings, request, verdict.address);
  if (decision.refused) return decision;
  decision.url = std::move(query.parameters);
  decision.address = verdict.address;
  decision.token = verdict.token;
  return decision;
}

Decision receive(const ReceiverSettings& settings, Decision decision, Request request, WallTime now) {
  if (!request.whole)
    return refuse({400, "bad request: body is not as long as Content-Length says", ""},
                  {"body", "body cut short, aborted, or longer than Content-Length", decision.address, true});
  decision.kind = Decision::Kind::store;
  Incoming& incoming = decision.incoming.emplace();
  incoming.callback = {now,
                       decision.address,
                       decision.token,
                       without_token(request.query_string),
                       std::move(request.content_type),
                       std::move(request.body),
                       false};
  DecodeResult decoded = decode(incoming.callback.content_type, incoming.callback.body);
  if (const auto* why = std::get_if<Undecodable>(&decoded)) {
    keep_undecodable(decision, *why);
    return decision;
  }
  auto& [pairs, repaired] = std::get<Decoded>(decoded);
  Verdict account = authorise_account(settings.access, pairs);
  if (account.refusal != Refusal::none) {
    account.address = decision.address;
    return forbid(account, true);
  }
  const Alert alert =
      make_alert({decision.address, decision.token, std::move(decision.url)}, std::move(pairs), repaired);
  fill(incoming, settings.routes, alert);
  decision.account = value_of(alert.fields, "userId");
  decision.alarm = alert.alarm;
  return decision;
}

Response answer_stored(const Decision& decision, const PutResult& result) {
  const auto* put = std::get_if<Put>(&result);
  if (put == nullptr) return {503, "not stored, try again", "Retry-After: 5\r\n"};
  if (decision.response.status != 200) return decision.response;
  return {200, (put->duplicate ? "duplicate " : "accepted ") + std::to_string(put->id), ""};
}

Response answer_probe(bool healthy) {
  if (healthy) return {200, "ready", ""};
  return {503, "not ready", "Retry-After: 5\r\n"};
}

Refused not_stored(const Decision& decision, const NotStored& why) {
  return {"not-stored", why.reason, decision.address, true};
}

RefusalCount count_of(const Refused& refused, WallTime now) {
  return {refused.reason, 1, now, refused.address, refused.allowed_address};
}

void log_accept(log::Batch& batch, const Decision& decision, const Put& put) {
  batch.add(log::Level::info, "accept",
            {{"id", std::to_string(put.id)},
             {"addr", decision.address},
             {"token", decision.token},
             {"account", decision.account},
             {"alarm", decision.alarm},
             {"duplicate", put.duplicate ? "yes" : "no"}});
}

}  // namespace alertspool
