#include "alert/authorise.h"

#include "alert/alert.h"
#include "alert/decode.h"

#include <algorithm>

namespace alertspool {

const char* name_of(Refusal refusal) noexcept {
  constexpr const char* kNames[] = {"none", "address", "token", "account"};
  return kNames[static_cast<int>(refusal)];
}

Query parse_query(std::string_view query_string) {
  auto result = decode_form(query_string);
  auto* decoded = std::get_if<Decoded>(&result);
  Query query;
  query.too_long = !decoded;
  if (!decoded) return query;
  for (auto& [name, value] : decoded->pairs) {
    if (name != "token")
      query.parameters.emplace_back(std::move(name), std::move(value));
    else if (!std::exchange(query.has_token, true))
      query.secret = std::move(value);
  }
  return query;
}

Verdict authorise(const Access& access, std::string_view remote_addr, const Query& query) {
  const auto address = parse_address(remote_addr);
  const std::string text = address ? address->text() : std::string(remote_addr);
  const auto contains = [&](const Prefix& prefix) { return address && prefix.contains(*address); };
  if (std::ranges::none_of(access.allow, contains)) {
    const std::string reason =
        address ? "address " + text + " is in no allow prefix; allow = " + text + " would let it in"
                : "`" + text + "` is no IP address; the web server must set REMOTE_ADDR to the sender's";
    return {Refusal::address, reason, "", text};
  }
  Verdict verdict = authorise_token(access, query);
  verdict.address = text;
  return verdict;
}

Verdict authorise_token(const Access& access, const Query& query) {
  const auto refused = [](std::string reason) { return Verdict{Refusal::token, std::move(reason), "", ""}; };
  if (query.too_long) return refused("more than " + std::to_string(kMaxFields) + " parameters in the callback URL");
  if (access.tokens.empty()) return {};
  const Token* found = nullptr;
  // Looks at every token, so that the time says nothing about which one it was.
  for (const Token& token : access.tokens)
    if (equal_secrets(token.secret, query.secret)) found = &token;
  if (found && !query.secret.empty()) return {Refusal::none, "", found->name, ""};
  return refused(query.has_token
                     ? "the token in the callback URL is not in token-file; a secret of token-file would let it in"
                     : "no token in the callback URL; ?token=SECRET with a secret of token-file would let it in");
}

Verdict authorise_account(const Access& access, const Fields& fields) {
  const std::string user_id(value_of(fields, "userId"));
  if (access.user_ids.empty() || std::ranges::count(access.user_ids, user_id) > 0) return {};
  return {Refusal::account,
          user_id.empty() ? "no userId in the callback; without any user-id line it would be let in"
                          : "account " + user_id + " is not listed; user-id = " + user_id + " would let it in",
          "", ""};
}

}  // namespace alertspool
