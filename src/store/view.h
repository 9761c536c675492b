/// From what the spool keeps back to what the sender said: a stored callback is decoded again, so nothing is kept
/// twice.

#pragma once

#include "alert/json.h"
#include "store/types.h"

namespace alertspool {

/// The alert of a callback; an undecodable one has an origin and no fields.
Alert alert_of(const Callback& callback);

/// `show --json` of a record.
AlertView view_of(const Record& record);

}  // namespace alertspool
