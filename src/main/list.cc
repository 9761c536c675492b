/// list and show: many alerts as lines, one with every attempt of its deliveries.

#include "base/text.h"
#include "main/operator.h"
#include "store/view.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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

/// What happened: the state and the name of an alert, the name of an event, why a body was not decoded.
std::string what_of(const Record& record, const Alert& alert) {
  if (!record.undecodable.empty()) return record.undecodable;
  const std::string state(lookup(alert, "alertState"));
  const std::string name(lookup(alert, lookup(alert, "alertName").empty() ? "name" : "alertName"));
  return state + (state.empty() || name.empty() ? "" : " ") + name;
}

/// 80 columns, of which the last two cells share what the others leave.
std::string line(std::size_t id_width, const std::array<std::string, 6>& texts, const char* colour = "") {
  constexpr std::size_t kTime = 25, kState = 11, kSeverity = 8;
  const std::size_t room = 80 - (id_width + kTime + kState + kSeverity + 4);
  const std::size_t object = texts[5].empty() ? 0 : room * 2 / 5;
  std::vector<Cell> cells{{texts[0], id_width, true},
                          {texts[1], kTime},
                          {texts[2], kState, false, colour},
                          {texts[3], kSeverity},
                          {texts[4], object == 0 ? room : room - object - 1}};
  if (object != 0) cells.push_back({texts[5], object});
  return line_of(cells);
}

/// The newest alert comes first and has the longest id: its width, at first 0, is that of all.
void print_line(const Record& record, const Alert& alert, bool colours, std::size_t& id_width) {
  const std::string id = std::to_string(record.id), state = record.state();
  if (id_width == 0) {
    id_width = std::max<std::size_t>(id.size(), 2);
    std::cout << line(id_width, {"ID", "RECEIVED", "STATE", "SEVERITY", "ALERT", "OBJECT"});
  }
  const char* colour = !colours ? "" : state == "failed" ? "\033[31m" : state == "pending" ? "\033[33m" : "";
  std::cout << line(id_width,
                    {id, to_local(record.callback.received), state, record.severity, what_of(record, alert),
                     std::string(object_of(alert))},
                    colour);
}

int list(const Arguments& arguments) {
  const bool json = arguments.has("json");
  const std::string limit = arguments.value("limit", "50");
  std::optional<std::uint64_t> left = parse_number(limit);
  if (!left) throw UsageError("--limit " + limit + ": no number; 0 lists all");
  OpenSpool spool(arguments, StoreUse::read);
  const Selection selection = selection_of(arguments, spool.clock.wall());
  const char* no_color = std::getenv("NO_COLOR");
  const bool colours = isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
  std::size_t id_width = 0;
  for_each(spool.store, selection, [&](const Record& record, const Alert& alert) {
    if (json)
      std::cout << to_json(view_of(record)) << '\n';
    else
      print_line(record, alert, colours, id_width);
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
  for (const DeliveryRecord& delivery : record.deliveries) {
    std::cout << "\naction " << escape_controls(delivery.action) << ": " << delivery.state;
    if (delivery.state == "pending")
      std::cout << (delivery.due ? ", due " + to_local(*delivery.due) : ", waits for an earlier alert of its alarm");
    std::cout << ", attempts: " << delivery.attempts << '\n';
    for (const AttemptRecord& attempt : delivery.tries) print_attempt(attempt);
  }
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
