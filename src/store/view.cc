#include "store/view.h"

#include "alert/authorise.h"
#include "alert/decode.h"

namespace alertspool {

Alert alert_of(const Callback& callback) {
  Origin origin{callback.remote_addr, callback.token, parse_query(callback.query).parameters};
  DecodeResult result = decode(callback.content_type, callback.body);
  if (Decoded* decoded = std::get_if<Decoded>(&result))
    return make_alert(std::move(origin), std::move(decoded->pairs), decoded->repaired_utf8);
  Alert alert;
  alert.origin = std::move(origin);
  return alert;
}

AlertView view_of(const Record& record) {
  AlertView view;
  view.stored = {record.id, to_rfc3339(record.callback.received), record.callback.test};
  view.state = record.state();
  view.duplicates = record.duplicates;
  view.alert = alert_of(record.callback);
  for (const DeliveryRecord& delivery : record.deliveries)
    view.deliveries.push_back({delivery.action, delivery.state, delivery.attempts,
                               delivery.due ? to_rfc3339(*delivery.due) : std::string(), delivery.last,
                               delivery.output});
  return view;
}

}  // namespace alertspool
