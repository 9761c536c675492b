/// Decoding a callback's body: urlencoded as CloudMonitor sends alerts, JSON as it sends events.

#pragma once

#include "alert/fields.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace alertspool {

/// A callback with more fields than this is refused with 413. CloudMonitor sends up to 25.
inline constexpr std::size_t kMaxFields = 256;

struct Decoded {
  Fields pairs;                ///< all of them, valid UTF-8, in the order in which they came
  bool repaired_utf8 = false;  ///< some bytes were no UTF-8 and became U+FFFD
};

/// Why a body cannot be an alert. 400, 413 or 415 for the sender.
struct Undecodable {
  int status = 400;
  std::string reason;
};

using DecodeResult = std::variant<Decoded, Undecodable>;

/// By content type (its parameters are ignored, no type at all means urlencoded). An empty body, a body without any
/// field, a broken JSON text and an unknown type are undecodable.
DecodeResult decode(std::string_view content_type, std::string_view body);

/// application/x-www-form-urlencoded, WHATWG URL Standard section 5.1, exactly. Every byte string is valid, so this
/// fails only on more than `max_fields`. A URL's query has the same form.
DecodeResult decode_form(std::string_view body, std::size_t max_fields = kMaxFields);

/// One JSON object: strings as they are, numbers, booleans and null as their JSON text, objects and arrays as compact
/// JSON text. Bytes that are no UTF-8 are repaired first.
DecodeResult decode_json(std::string_view body, std::size_t max_fields = kMaxFields);

/// The `dimensions` field: `{k=v, k2=v2}` as sent today, or a JSON object as in older documents. Empty when it is
/// neither: dimensions are never required to parse. A piece without `=` belongs to the value before it.
Fields decode_dimensions(std::string_view text);

}  // namespace alertspool
