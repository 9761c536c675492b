/// A realistic callback, for trying things out: `sample` prints it, `test` spools it.

#pragma once

#include "alert/fields.h"
#include "base/time.h"
#include "web/request.h"

#include <string>
#include <vector>

namespace alertspool {

/// Every field that CloudMonitor documented in 2024, with this time as its timestamp, changed by `FIELD=VALUE`: unknown
/// names are added, an empty value stays an empty field. Two samples belong to one alarm, so `alertState=OK` ends what
/// a sample before it began. Throws UsageError for a word without `=`.
Fields sample_fields(WallTime now, const std::vector<std::string>& changes);

/// As CloudMonitor sends it: application/x-www-form-urlencoded, WHATWG URL Standard section 5.2.
std::string encode_form(const Fields& fields);

/// The request that brings such a body.
Request callback_request(const std::string& from, const std::string& content_type, const std::string& body);

}  // namespace alertspool
