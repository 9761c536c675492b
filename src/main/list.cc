/// list: alerts, newest first.

#include "alert/json.h"
#include "base/text.h"
#include "main/filter.h"
#include "main/table.h"
#include "store/store.h"
#include "store/view.h"

#include <algorithm>
#include <iostream>
#include <limits>

namespace alertspool {
namespace {

const std::vector<Table::Column> kColumns{{"ID", true},           {"RECEIVED"},           {"STATE"},
                                          {"SEVERITY"},           {"ALERT", false, true}, {"NAME", false, true},
                                          {"OBJECT", false, true}};

std::size_t limit_of(const Arguments& arguments) {
  if (!arguments.has("limit")) return 50;
  const std::optional<std::uint64_t> limit = parse_number(arguments.value("limit"));
  if (!limit) throw UsageError("--limit " + arguments.value("limit") + ": no number; 0 lists all");
  return *limit == 0 ? std::numeric_limits<std::size_t>::max() : *limit;
}

/// What the alert is about: the name of an instance, else what tells it from others of its rule.
std::string object_of(const Alert& alert) {
  if (const auto name = lookup(alert, "instanceName"); !name.empty()) return std::string(name);
  for (const auto& [name, value] : alert.dimensions)
    if (name != "userId") return value;
  return std::string(lookup(alert, "resourceId"));
}

std::vector<std::string> row_of(const Record& record, const Alert& alert) {
  const std::string_view name = lookup(alert, "alertName");
  return {std::to_string(record.id),
          to_local(record.callback.received),
          record.state(),
          record.severity,
          std::string(lookup(alert, "alertState")),
          !record.undecodable.empty() ? record.undecodable : std::string(name.empty() ? lookup(alert, "name") : name),
          object_of(alert)};
}

int run(const Arguments& arguments) {
  if (!arguments.positional.empty()) throw UsageError("list takes options only; alertspool show ID shows one alert");
  const Config config = config_of(arguments, Secrets::leave);
  const SystemClock clock;
  Selection selection = selection_of(arguments, clock.wall());
  std::size_t left = limit_of(arguments);
  const std::size_t page = static_cast<std::size_t>(selection.filter.limit);
  if (selection.matches.empty()) selection.filter.limit = static_cast<int>(std::min(left, page));

  Store store(config.store, StoreUse::read, clock);
  Table table(kColumns);
  for_each(store, selection, [&](const Record& record, const Alert& alert) {
    if (arguments.has("json"))
      std::cout << to_json(view_of(record)) << '\n';
    else
      table.add(row_of(record, alert));
    // Millions of rows are not gathered to align them: each page has its own widths and titles.
    if (table.size() == page) std::cout << std::exchange(table, Table(kColumns)).text(screen_width());
    return --left > 0 && std::cout;
  });
  if (table.size() > 0) std::cout << table.text(screen_width());
  return kOk;
}

}  // namespace

const Verb kListVerb{"list", "[FILTER...]", "alerts, newest first",
                     with_filter_options({{"limit", "N", "at most N alerts, default 50; 0: all"},
                                          {"json", "", "one JSON object per line"}}),
                     run};

}  // namespace alertspool
