/// retry and drop: waiting and failed deliveries become due now, or are put away. One implementation: they differ in
/// what they tell the store.

#include "base/log.h"
#include "base/text.h"
#include "base/wake.h"
#include "main/operator.h"

#include <algorithm>
#include <iostream>
#include <span>

namespace alertspool {
namespace {

/// Alerts per transaction: the receiver, which answers within seconds, waits for us no longer than that.
constexpr std::size_t kBatch = 500;

const std::vector<OptionSpec> kOptions =
    with_filter_options({{"dry-run", "", "says what it would do and does nothing"}});

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
};

Choice choice_of(const Work& work, const Record& record, const std::string& action) {
  Choice choice{record.id, ""};
  for (const DeliveryRecord& delivery : record.deliveries)
    if ((delivery.state == "pending" || delivery.state == "failed") && (action.empty() || action == delivery.action))
      choice.what += (choice.what.empty() ? "" : ", ") + escape_controls(delivery.action);
  if (work.takes_undecodable && !record.undecodable.empty() && action.empty()) choice.what = "undecodable body";
  return choice;
}

/// Oldest first: of two failed alerts of one alarm the older one must be due before the newer one. nullopt, and a word
/// to standard error, when an id is unknown.
std::optional<std::vector<Choice>> choices_of(const Work& work, const Arguments& arguments, OpenSpool& spool) {
  const std::string action = arguments.value("action");
  std::vector<Choice> choices;
  for (const std::int64_t id : ids_of(arguments)) {
    const std::optional<Record> record = spool.record(id);
    if (!record) return std::nullopt;
    choices.push_back(choice_of(work, *record, action));
  }
  if (!arguments.positional.empty()) return choices;
  for_each(spool.store, selection_of(arguments, spool.clock.wall()), [&](const Record& record, const Alert&) {
    Choice choice = choice_of(work, record, action);
    if (!choice.what.empty()) choices.push_back(std::move(choice));
    return true;
  });
  std::reverse(choices.begin(), choices.end());
  return choices;
}

/// Returns how many deliveries changed.
std::size_t act(const Work& work, OpenSpool& spool, std::span<const std::int64_t> ids, const std::string& action) {
  std::size_t all = 0;
  for (std::size_t i = 0; i < ids.size(); i += kBatch) {
    const auto batch = ids.subspan(i, std::min(kBatch, ids.size() - i));
    const std::size_t changed = (spool.store.*work.act)(batch, action);
    if (changed == 0) continue;
    all += changed;
    log::notice(work.verb, {{"by", operator_name()},
                            {"alerts", std::to_string(batch.size())},
                            {"first", std::to_string(batch.front())},
                            {"last", std::to_string(batch.back())},
                            {"action", action},
                            {"deliveries", std::to_string(changed)}});
    WakeSender(wake_path(spool.config)).call();
  }
  return all;
}

int run(const Work& work, const Arguments& arguments) {
  const std::string action = arguments.value("action");
  const bool dry = arguments.has("dry-run"), has_ids = !arguments.positional.empty();
  const bool filters = std::ranges::any_of(kOptions, [&](const OptionSpec& option) {
    const std::string_view name = option.name;
    // --action also narrows what ids select.
    return name != "dry-run" && !(has_ids && name == "action") && arguments.has(name);
  });
  if (has_ids == filters)
    throw UsageError(std::string(work.verb) + " needs either ids or a filter, such as --state failed");
  OpenSpool spool(arguments, dry ? StoreUse::read : StoreUse::operate);
  const auto choices = choices_of(work, arguments, spool);
  if (!choices) return kDataError;
  std::vector<std::int64_t> ids;
  for (const Choice& choice : *choices)
    if (!choice.what.empty()) ids.push_back(choice.id);
  const std::size_t changed = dry ? 0 : act(work, spool, ids, action);

  const std::string does = dry ? std::string("would ") + work.verb : work.done;
  for (const Choice& choice : *choices)
    std::cout << choice.id << ": " << (choice.what.empty() ? "nothing to do" : does + " " + choice.what) << '\n';
  std::cout << "alerts: " << ids.size() << (dry ? "" : ", deliveries: " + std::to_string(changed)) << '\n';
  return kOk;
}

}  // namespace

const Verb kRetryVerb{"retry", "ID... | FILTER...", "makes waiting and failed deliveries due now", kOptions,
                      [](const Arguments& arguments) { return run(kRetry, arguments); }};

const Verb kDropVerb{"drop", "ID... | FILTER...", "puts waiting and failed deliveries away", kOptions,
                     [](const Arguments& arguments) { return run(kDrop, arguments); }};

}  // namespace alertspool
