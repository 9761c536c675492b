/// show: one alert with every attempt of its deliveries.

#include "base/text.h"
#include "main/filter.h"
#include "main/operator.h"
#include "store/view.h"

#include <iostream>

namespace alertspool {
namespace {

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

void print(const Record& record) {
  const Callback& callback = record.callback;
  Alert alert = alert_of(callback);
  std::cout << "alert " << record.id << ": " << record.state() << '\n';
  Fields facts{{"received", to_local(callback.received)},
               {"sent", alert.time_ms ? to_local(WallTime(milliseconds(*alert.time_ms))) : ""},
               {"from", callback.remote_addr},
               {"token", callback.token},
               {"url", callback.query},
               {"type", callback.content_type},
               {"severity", record.severity},
               {"alarm", record.alarm},
               {"digest", alert.digest},
               {"duplicates", record.duplicates > 0 ? std::to_string(record.duplicates) : ""},
               {"test", callback.test ? "yes" : ""},
               {"undecodable", record.undecodable}};
  for (const std::string& flag : alert.flags) facts.emplace_back("flag", flag);
  for (auto& [name, value] : alert.pairs)
    if (name == "signature") value = "***";
  std::cout << aligned_facts(facts) << "\nfields\n" << aligned(alert.pairs);
  for (const DeliveryRecord& delivery : record.deliveries) print_delivery(delivery);
}

int run(const Arguments& arguments) {
  const std::vector<std::int64_t> ids = ids_of(arguments);
  if (ids.size() != 1) throw UsageError("show takes one ID; alertspool list shows them");
  OpenSpool spool(arguments, StoreUse::read);
  const std::optional<Record> record = spool.store.show(ids[0]);
  if (!record) {
    std::cerr << "alertspool: there is no alert " << ids[0] << '\n';
    return kDataError;
  }
  if (arguments.has("raw"))
    std::cout << record->callback.body;
  else if (arguments.has("json"))
    std::cout << to_json(view_of(*record)) << '\n';
  else
    print(*record);
  return kOk;
}

}  // namespace

const Verb kShowVerb{"show",
                     "ID",
                     "one alert with every attempt of its deliveries",
                     {{"json", "", "one JSON object"}, {"raw", "", "the body as it came"}},
                     run};

}  // namespace alertspool
