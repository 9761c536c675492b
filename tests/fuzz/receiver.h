/// The receiver that targets talk to: one prefix, one token, one account, two actions.

#pragma once

#include "web/receive.h"

#include "fuzz.h"

#include <algorithm>

namespace alertspool::fuzz {

inline constexpr std::string_view kSecret = "s3cret-s3cret-s3cret";

inline const ReceiverSettings& receiver() {
  static const ReceiverSettings settings{
      {{std::get<Prefix>(parse_prefix("47.74.206.0/26"))}, {{"ops", std::string(kSecret)}}, {"12"}},
      1024,
      {{"all", {}, false}, {"page", {std::get<Match>(parse_match("severity CRITICAL 'W*' !INFO"))}, true}}};
  return settings;
}

/// A status that the design names, and a body that is one line of text.
inline bool is_response(const Response& response) {
  constexpr int kStatuses[] = {200, 400, 403, 405, 411, 413, 415, 503};
  return std::ranges::count(kStatuses, response.status) == 1 && !response.body.empty() && is_utf8(response.body) &&
         is_printable(response.body);
}

}  // namespace alertspool::fuzz
