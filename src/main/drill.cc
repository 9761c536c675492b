/// test: a drill. Spools a marked sample and prints each attempt as it happens.

#include "base/text.h"
#include "base/wake.h"
#include "main/operator.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <thread>

namespace alertspool {
namespace {

constexpr milliseconds kLook{100};

/// The sample as receive() makes it of a request: same decoding, same routes. Who may send does not matter here.
Incoming sample(const Config& config, const std::vector<std::string>& changes, WallTime now) {
  ReceiverSettings settings = config.receiver();
  settings.access = {{std::get<Prefix>(parse_prefix("127.0.0.1"))}, {}, {}};
  const std::string body = encode_form(sample_fields(now, changes));
  const Request request = callback_request("127.0.0.1", "application/x-www-form-urlencoded", body);
  Decision decision = receive_head(settings, request);
  if (decision.kind == Decision::Kind::read) decision = receive(settings, std::move(decision), request, now);
  if (decision.refused) throw UsageError("test: this sample would be refused: " + decision.response.body);
  decision.incoming->callback.test = true;
  return *std::move(decision.incoming);
}

/// Prints each attempt. Returns the alert as it was when all its deliveries had ended, or at the deadline.
Record watch(OpenSpool& spool, std::int64_t id, SteadyTime deadline) {
  std::map<std::string, std::size_t> printed;  // by action
  for (;; std::this_thread::sleep_for(kLook)) {
    const std::optional<Record> record = spool.store.show(id);
    if (!record) throw StoreError("alert " + std::to_string(id) + " is not in the spool any more");
    const auto& all = record->deliveries;
    for (const DeliveryRecord& delivery : all) {
      for (std::size_t& next = printed[delivery.action]; next < delivery.tries.size(); ++next) {
        const AttemptRecord& attempt = delivery.tries[next];
        std::cout << to_local(attempt.started) << "  " << escape_controls(delivery.action) << "  attempt "
                  << attempt.number << "  " << attempt.duration.count() << " ms  " << escape_controls(attempt.outcome)
                  << std::endl;
      }
    }
    const auto ended = [](const auto& each) { return each.state != "pending" && each.state != "running"; };
    if (std::ranges::all_of(all, ended) || spool.clock.steady() >= deadline) return *record;
  }
}

int run(const Arguments& arguments) {
  const milliseconds wait = std::min<milliseconds>(duration_of(arguments, "wait", "60s"), std::chrono::hours(24));
  OpenSpool spool(arguments, StoreUse::operate);
  const Incoming incoming = sample(spool.config, arguments.positional, spool.clock.wall());
  const Put put = spool.store.put({&incoming, 1}).at(0);
  if (put.duplicate) {
    std::cout << "duplicate " << put.id << ": the spool has this alert already, nothing is delivered again\n";
    return kDataError;
  }
  std::cout << "spooled " << put.id << std::endl;
  WakeSender(wake_path(spool.config)).call();
  const auto taken = [&] { return !spool.store.show(put.id).value_or(Record()).deliveries.empty(); };
  if (!deliverer_alive(spool.store.status()) && taken()) {
    std::cout << "no deliverer is alive: alert " << put.id << " waits in the spool; start alertspool serve, or\n"
              << "alertspool deliver, and see alertspool show " << put.id << '\n';
    return kUnavailable;
  }
  const Record record = watch(spool, put.id, spool.clock.steady() + wait);
  if (record.deliveries.empty()) {
    std::cout << "no action takes it: alertspool sample | alertspool explain says why\n";
    return kDataError;
  }
  for (const DeliveryRecord& delivery : record.deliveries)
    std::cout << escape_controls(delivery.action) << ": " << delivery.state << '\n';
  return record.state() == "delivered" ? kOk : kTryLater;
}

}  // namespace

const Verb kTestVerb{"test",
                     "[FIELD=VALUE...]",
                     "a drill: spools a marked sample and prints each attempt",
                     {{"wait", "DURATION", "how long to wait for its deliveries, default 60s"}},
                     run};

}  // namespace alertspool
