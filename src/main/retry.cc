/// retry and drop: waiting and failed deliveries become due now, or are put away. One implementation: they differ in
/// what they tell the store.

#include "base/log.h"
#include "base/text.h"
#include "base/wake.h"
#include "main/filter.h"
#include "main/operator.h"
#include "store/store.h"

#include <algorithm>
#include <iostream>
#include <span>

namespace alertspool {
namespace {

/// Alerts per transaction: the receiver, which answers within seconds, waits for us no longer than that.
constexpr std::size_t kBatch = 500;

struct Work {
  const char* verb;
  const char* done;
  std::size_t (Store::*act)(std::span<const std::int64_t>, const std::string&);
  bool takes_undecodable;
};

constexpr Work kRetry{"retry", "retried", &Store::retry, false};
constexpr Work kDrop{"drop", "dropped", &Store::drop, true};

struct Choice {
  std::int64_t id;
  std::string what;  ///< names of the actions that are concerned; empty: nothing to do
  std::string state;
};

Choice choice_of(const Work& work, const Record& record, const std::string& action) {
  Choice choice{record.id, "", record.state()};
  for (const DeliveryRecord& delivery : record.deliveries)
    if ((delivery.state == "pending" || delivery.state == "failed") && (action.empty() || action == delivery.action))
      choice.what += (choice.what.empty() ? "" : ", ") + escape_controls(delivery.action);
  if (work.takes_undecodable && choice.state == "undecodable" && action.empty()) choice.what = "undecodable body";
  return choice;
}

std::vector<Choice> by_filter(const Work& work, const Arguments& arguments, Store& store, WallTime now) {
  std::vector<Choice> choices;
  for_each(store, selection_of(arguments, now), [&](const Record& record, const Alert&) {
    Choice choice = choice_of(work, record, arguments.value("action"));
    if (!choice.what.empty()) choices.push_back(std::move(choice));
    return true;
  });
  // Oldest first: of two failed alerts of one alarm the older one must be due before the newer one.
  std::reverse(choices.begin(), choices.end());
  return choices;
}

/// Throws UsageError; prints ids that are unknown and returns nothing when there are any.
std::optional<std::vector<Choice>> by_id(const Work& work, const Arguments& arguments, Store& store) {
  if (has_filter(arguments)) throw UsageError(std::string(work.verb) + ": ids or a filter, not both");
  std::vector<Choice> choices;
  bool all_known = true;
  for (const std::int64_t id : ids_of(arguments)) {
    const std::optional<Record> record = store.show(id);
    if (record)
      choices.push_back(choice_of(work, *record, arguments.value("action")));
    else
      std::cerr << "alertspool " << work.verb << ": there is no alert " << id << "; nothing was done\n";
    all_known = all_known && record;
  }
  if (!all_known) return std::nullopt;
  return choices;
}

void print(const Work& work, const Choice& choice, bool dry) {
  std::cout << choice.id << ": ";
  if (choice.what.empty())
    std::cout << "nothing to " << work.verb << " (" << choice.state << ")\n";
  else
    std::cout << (dry ? std::string("would ") + work.verb : work.done) << ' ' << choice.what << '\n';
}

/// Returns how many deliveries changed.
std::size_t act(const Work& work, Store& store, const std::vector<Choice>& choices, const std::string& action) {
  std::vector<std::int64_t> ids;
  for (const Choice& choice : choices)
    if (!choice.what.empty()) ids.push_back(choice.id);
  std::size_t changed = 0;
  for (std::span<const std::int64_t> left = ids; !left.empty(); left = left.subspan(std::min(kBatch, left.size())))
    changed += (store.*work.act)(left.first(std::min(kBatch, left.size())), action);
  return changed;
}

std::string names(const std::vector<Choice>& choices) {
  std::string text;
  for (std::size_t i = 0; i < choices.size() && i < 20; ++i)
    text += (i == 0 ? "" : ",") + std::to_string(choices[i].id);
  return choices.size() > 20 ? text + ",..." : text;
}

int run(const Work& work, const Arguments& arguments) {
  const std::string action = arguments.value("action");
  if (arguments.positional.empty() && !has_filter(arguments) && action.empty())
    throw UsageError(std::string(work.verb) + " needs ids or a filter, such as --state failed");
  const Config config = config_of(arguments, Secrets::leave);
  const SystemClock clock;
  const bool dry = arguments.has("dry-run");
  Store store(config.store, dry ? StoreUse::read : StoreUse::operate, clock);
  const std::optional<std::vector<Choice>> choices =
      arguments.positional.empty() ? by_filter(work, arguments, store, clock.wall()) : by_id(work, arguments, store);
  if (!choices) return kDataError;

  const std::size_t changed = dry ? 0 : act(work, store, *choices, action);
  const auto alerts = std::count_if(choices->begin(), choices->end(), [](const Choice& c) { return !c.what.empty(); });
  for (const Choice& choice : *choices) print(work, choice, dry);
  std::cout << "alerts: " << alerts << (dry ? "" : ", deliveries: " + std::to_string(changed)) << '\n';
  if (dry || changed == 0) return kOk;
  log::notice(work.verb, {{"by", operator_name()},
                          {"alerts", names(*choices)},
                          {"action", action},
                          {"deliveries", std::to_string(changed)}});
  WakeSender(wake_path(config)).call();
  return kOk;
}

std::vector<OptionSpec> options() {
  return with_filter_options({{"dry-run", "", "says what it would do and does nothing"}});
}

}  // namespace

const Verb kRetryVerb{"retry", "ID... | FILTER...", "makes waiting and failed deliveries due now", options(),
                      [](const Arguments& arguments) { return run(kRetry, arguments); }};

const Verb kDropVerb{"drop", "ID... | FILTER...", "puts waiting and failed deliveries away", options(),
                     [](const Arguments& arguments) { return run(kDrop, arguments); }};

}  // namespace alertspool
