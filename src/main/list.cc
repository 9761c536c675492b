/// list: alerts, newest first.

#include "base/text.h"
#include "main/filter.h"
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

void print_titles() {
  std::cout << "      ID  RECEIVED                   STATE        SEVERITY  ALERT  NAME, OBJECT\n";
}

void print(const Record& record, const Alert& alert) {
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

int run(const Arguments& arguments) {
  const bool json = arguments.has("json");
  const std::string limit = arguments.has("limit") ? arguments.value("limit") : "50";
  std::optional<std::uint64_t> left = parse_number(limit);
  if (!left) throw UsageError("--limit " + limit + ": no number; 0 lists all");
  OpenSpool spool(arguments, StoreUse::read);
  const Selection selection = selection_of(arguments, spool.clock.wall());
  if (!json) print_titles();
  for_each(spool.store, selection, [&](const Record& record, const Alert& alert) {
    if (json)
      std::cout << to_json(view_of(record)) << '\n';
    else
      print(record, alert);
    return --*left != 0 && std::cout;  // from 0 it never comes back to 0
  });
  return kOk;
}

}  // namespace

const Verb kListVerb{"list", "", "alerts, newest first",
                     with_filter_options({{"limit", "N", "at most N alerts, default 50; 0: all"},
                                          {"json", "", "one JSON object per line"}}),
                     run};

}  // namespace alertspool
