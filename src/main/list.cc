/// list and show: many alerts as lines, one with every attempt of its deliveries.

#include "base/text.h"
#include "main/operator.h"
#include "store/view.h"

#include <iomanip>
#include <iostream>

namespace alertspool {
namespace {

/// What the alert is about: the name of an instance, else what tells it from others of its rule.
std::string_view object_of(const Alert& alert) {
  if (const auto name = lookup(alert, "instanceName"); !name.empty()) return name;
  for (const auto& [name, value] : alert.dimensions)
    if (name != "userId") return value;
  return lookup(alert, "resourceId");
}

void print_line(const Record& record, const Alert& alert) {
  const std::string_view name = lookup(alert, "alertName");
  std::cout << std::right << std::setw(8) << record.id << std::left << "  " << to_local(record.callback.received)
            << "  " << std::setw(11) << record.state() << "  " << std::setw(8) << escape_controls(record.severity)
            << "  " << std::setw(5) << escape_controls(lookup(alert, "alertState")) << "  ";
  if (!record.undecodable.empty())
    std::cout << escape_controls(record.undecodable) << '\n';
  else
    std::cout << escape_controls(name.empty() ? lookup(alert, "name") : name) << ", "
              << escape_controls(object_of(alert)) << '\n';
}

int list(const Arguments& arguments) {
  const bool json = arguments.has("json");
  const std::string limit = arguments.has("limit") ? arguments.value("limit") : "50";
  std::optional<std::uint64_t> left = parse_number(limit);
  if (!left) throw UsageError("--limit " + limit + ": no number; 0 lists all");
  OpenSpool spool(arguments, StoreUse::read);
  const Selection selection = selection_of(arguments, spool.clock.wall());
  for_each(spool.store, selection, [&](const Record& record, const Alert& alert) {
    if (json)
      std::cout << to_json(view_of(record)) << '\n';
    else
      print_line(record, alert);
    return --*left != 0 && std::cout;  // from 0 it never comes back to 0
  });
  return kOk;
}

void print_attempt(const AttemptRecord& attempt) {
  std::cout << "  " << attempt.number << "  " << to_local(attempt.started) << "  " << escape_controls(attempt.host)
            << "  " << attempt.duration.count() << " ms  " << escape_controls(attempt.outcome) << '\n';
  if (attempt.output.empty()) return;
  const std::string_view output = attempt.output;
  for (const std::string& line : split(output.substr(0, output.find_last_not_of('\n') + 1), '\n'))
    std::cout << "       | " << escape_controls(line) << '\n';
}

void print_delivery(const DeliveryRecord& delivery) {
  std::cout << "\naction " << escape_controls(delivery.action) << ": " << delivery.state;
  if (delivery.state == "pending")
    std::cout << (delivery.due ? ", due " + to_local(*delivery.due) : ", waits for an earlier alert of its alarm");
  std::cout << ", attempts: " << delivery.attempts << '\n';
  for (const AttemptRecord& attempt : delivery.tries) print_attempt(attempt);
}

void print_whole(const Record& record) {
  const Callback& callback = record.callback;
  std::cout << "alert " << record.id << ": " << record.state() << '\n';
  print_alert(alert_of(callback), {{"received", to_local(callback.received)},
                                   {"from", callback.remote_addr},
                                   {"token", callback.token},
                                   {"url", callback.query},
                                   {"type", callback.content_type},
                                   {"duplicates", record.duplicates > 0 ? std::to_string(record.duplicates) : ""},
                                   {"test", callback.test ? "yes" : ""},
                                   {"undecodable", record.undecodable}});
  for (const DeliveryRecord& delivery : record.deliveries) print_delivery(delivery);
}

int show(const Arguments& arguments) {
  const std::vector<std::int64_t> ids = ids_of(arguments);
  if (ids.size() != 1) throw UsageError("show takes one ID; alertspool list shows them");
  OpenSpool spool(arguments, StoreUse::read);
  const std::optional<Record> record = spool.record(ids[0]);
  if (!record) return kDataError;
  if (arguments.has("raw"))
    std::cout << record->callback.body;
  else if (arguments.has("json"))
    std::cout << to_json(view_of(*record)) << '\n';
  else
    print_whole(*record);
  return kOk;
}

}  // namespace

const Verb kListVerb{"list", "", "alerts, newest first",
                     with_filter_options({{"limit", "N", "at most N alerts, default 50; 0: all"},
                                          {"json", "", "one JSON object per line"}}),
                     list};

const Verb kShowVerb{"show",
                     "ID",
                     "one alert with every attempt of its deliveries",
                     {{"json", "", "one JSON object"}, {"raw", "", "the body as it came"}},
                     show};

}  // namespace alertspool
