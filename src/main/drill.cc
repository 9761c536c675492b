/// test: a drill. Spools a marked sample and prints each attempt as it happens.

#include "base/text.h"
#include "base/wake.h"
#include "main/operator.h"
#include "main/sample.h"
#include "main/verb.h"
#include "store/store.h"
#include "web/receive.h"

#include <algorithm>
#include <iostream>
#include <set>
#include <thread>

namespace alertspool {
namespace {

constexpr milliseconds kLook{100};

/// The sample as receive() makes it of a request: same decoding, same routes. Who may send does not matter here.
Incoming sample(const Config& config, const std::vector<std::string>& changes, WallTime now) {
  Request request;
  request.method = "POST";
  request.remote_addr = "127.0.0.1";
  request.remote_addr_count = 1;
  request.content_type = "application/x-www-form-urlencoded";
  request.body = encode_form(sample_fields(now, changes));
  request.content_length = std::to_string(request.body.size());
  ReceiverSettings settings = config.receiver();
  settings.access = {{std::get<Prefix>(parse_prefix("127.0.0.1"))}, {}, {}};
  Decision decision = receive(settings, std::move(request), now);
  if (!decision.incoming) throw UsageError("test: this sample would be refused: " + decision.response.body);
  decision.incoming->callback.test = true;
  return *std::move(decision.incoming);
}

bool ended(const DeliveryRecord& delivery) {
  return delivery.state != "pending" && delivery.state != "running";
}
bool delivered(const DeliveryRecord& delivery) {
  return delivery.state == "delivered";
}

/// Attempts that were not printed before.
void print_attempts(const DeliveryRecord& delivery, std::set<std::pair<std::int64_t, int>>& printed) {
  for (const AttemptRecord& attempt : delivery.tries)
    if (printed.emplace(delivery.id, attempt.number).second)
      std::cout << to_local(attempt.started) << "  " << escape_controls(delivery.action) << "  attempt "
                << attempt.number << "  " << attempt.duration.count() << " ms  " << escape_controls(attempt.outcome)
                << std::endl;
}

/// Returns the alert as it was when all its deliveries had ended, or at the deadline.
Record watch(Store& store, std::int64_t id, const Clock& clock, SteadyTime deadline) {
  std::set<std::pair<std::int64_t, int>> printed;
  for (;;) {
    const std::optional<Record> record = store.show(id);
    if (!record) throw StoreError("alert " + std::to_string(id) + " is not in the spool any more");
    for (const DeliveryRecord& delivery : record->deliveries) print_attempts(delivery, printed);
    if (std::all_of(record->deliveries.begin(), record->deliveries.end(), ended) || clock.steady() >= deadline)
      return *record;
    std::this_thread::sleep_for(kLook);
  }
}

int print_result(const Record& record) {
  if (record.deliveries.empty()) {
    std::cout << "no action takes it: alertspool sample | alertspool explain says why\n";
    return kDataError;
  }
  for (const DeliveryRecord& delivery : record.deliveries)
    if (!delivered(delivery))
      std::cout << escape_controls(delivery.action) << " has not delivered it: " << delivery.state << '\n';
  if (!std::all_of(record.deliveries.begin(), record.deliveries.end(), delivered)) return kTryLater;
  std::cout << "delivered by every action that takes it\n";
  return kOk;
}

int run(const Arguments& arguments) {
  const std::string wait_text = arguments.has("wait") ? arguments.value("wait") : "60s";
  const std::optional<milliseconds> wait = parse_duration(wait_text);
  if (!wait) throw UsageError("--wait " + wait_text + ": no duration; write 30s or 2m");
  const Config config = config_of(arguments, Secrets::leave);
  const SystemClock clock;
  Store store(config.store, StoreUse::operate, clock);
  const Incoming incoming = sample(config, arguments.positional, clock.wall());
  const Put put = store.put({&incoming, 1}).at(0);
  if (put.duplicate) {
    std::cout << "duplicate " << put.id << ": the spool has this alert already, nothing is delivered again\n";
    return kDataError;
  }
  std::cout << "spooled " << put.id << std::endl;
  WakeSender(wake_path(config)).call();
  if (!incoming.actions.empty() && !deliverer_alive(store.status(), host_name(), clock.wall())) {
    std::cout << "no deliverer is alive: alert " << put.id << " waits in the spool; start alertspool serve, or\n"
              << "alertspool deliver, and see alertspool show " << put.id << '\n';
    return kUnavailable;
  }
  return print_result(watch(store, put.id, clock, clock.steady() + *wait));
}

}  // namespace

const Verb kTestVerb{"test",
                     "[FIELD=VALUE...]",
                     "a drill: spools a marked sample and prints each attempt",
                     {{"wait", "DURATION", "how long to wait for its deliveries, default 60s"}},
                     run};

}  // namespace alertspool
