#include "alert/authorise.h"

#include "alert/decode.h"
#include "alert/digest.h"

#include <algorithm>

namespace alertspool {
namespace {

/// Looks at every token, so that the time says nothing about which one it was.
const Token* find_token(const Access& access, const Query& query) {
  const Token* found = nullptr;
  for (const auto& token : access.tokens) {
    if (equal_secrets(token.secret, query.secret)) found = &token;
  }
  return query.secret.empty() ? nullptr : found;
}

}  // namespace

const char* name_of(Refusal refusal) noexcept {
  constexpr const char* kNames[] = {"none", "address", "token", "account"};
  return kNames[static_cast<int>(refusal)];
}

Query parse_query(std::string_view query_string) {
  Query query;
  auto result = decode_form(query_string);
  auto* decoded = std::get_if<Decoded>(&result);
  query.too_long = !decoded;
  if (!decoded) return query;
  for (auto& parameter : decoded->pairs) {
    if (parameter.first != "token") {
      query.parameters.push_back(std::move(parameter));
    } else if (!query.has_token) {
      query.has_token = true;
      query.secret = std::move(parameter.second);
    }
  }
  return query;
}

Verdict authorise(const Access& access, std::string_view remote_addr, const Query& query) {
  const auto address = parse_address(remote_addr);
  const std::string text = address ? address->text() : std::string(remote_addr);
  const auto contains = [&](const Prefix& prefix) { return address && prefix.contains(*address); };
  Verdict verdict;
  if (std::any_of(access.allow.begin(), access.allow.end(), contains)) {
    verdict = authorise_token(access, query);
  } else if (address) {
    verdict.refusal = Refusal::address;
    verdict.reason = "address " + text + " is in no allow prefix; allow = " + text + " would let it in";
  } else {
    verdict.refusal = Refusal::address;
    verdict.reason = "`" + text + "` is no IP address; the web server must set REMOTE_ADDR to the sender's";
  }
  verdict.address = text;
  return verdict;
}

Verdict authorise_token(const Access& access, const Query& query) {
  Verdict verdict;
  const Token* token = find_token(access, query);
  if (token) verdict.token = token->name;
  if (!query.too_long && (token || access.tokens.empty())) return verdict;
  verdict.refusal = Refusal::token;
  if (query.too_long) {
    verdict.reason = "more than " + std::to_string(kMaxFields) + " parameters in the callback URL";
  } else if (query.has_token) {
    verdict.reason = "the token in the callback URL is not in token-file; a secret of token-file would let it in";
  } else {
    verdict.reason = "no token in the callback URL; ?token=SECRET with a secret of token-file would let it in";
  }
  return verdict;
}

Verdict authorise_account(const Access& access, const Fields& fields) {
  const std::string user_id(value_of(fields, "userId"));
  const auto& known = access.user_ids;
  Verdict verdict;
  if (known.empty() || std::find(known.begin(), known.end(), user_id) != known.end()) return verdict;
  verdict.refusal = Refusal::account;
  verdict.reason = user_id.empty() ? "no userId in the callback; without any user-id line it would be let in"
                                   : "account " + user_id + " is not listed; user-id = " + user_id + " would let it in";
  return verdict;
}

}  // namespace alertspool
