/// Authorising: who may hand us a callback. Address, then token, then account.

#pragma once

#include "alert/address.h"
#include "alert/fields.h"

#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

struct Token {
  std::string name;
  std::string secret;
};

struct Access {
  std::vector<Prefix> allow;
  std::vector<Token> tokens;          ///< none: no token is asked for
  std::vector<std::string> user_ids;  ///< none: every Alibaba account
};

/// What a refusal is counted under. `none`: allowed.
enum class Refusal { none, address, token, account };
const char* name_of(Refusal refusal) noexcept;

struct Verdict {
  Refusal refusal = Refusal::none;
  std::string reason;   ///< for the log: what was wrong and which setting would have let it in
  std::string token;    ///< name of the token that was given
  std::string address;  ///< canonical; as it came when it is no address
};

/// Splits a query into its parameters without `token` and the secret that `token` held (the first counts).
struct Query {
  Fields parameters;
  std::string secret;
  bool has_token = false;
  bool too_long = false;  ///< more than kMaxFields: nothing of it is kept, and authorise() refuses it as a bad token
};
Query parse_query(std::string_view query_string);

/// Address and token. Compares with every token in constant time.
Verdict authorise(const Access& access, std::string_view remote_addr, const Query& query);

/// The token alone, for the console's Test button, which comes from anywhere.
Verdict authorise_token(const Access& access, const Query& query);

/// The account, once the body is decoded: field `userId` must be one of user_ids.
Verdict authorise_account(const Access& access, const Fields& fields);

}  // namespace alertspool
