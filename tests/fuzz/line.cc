#include "alert/line.h"

#include "alert/decode.h"
#include "base/text.h"
#include "fuzz.h"

#include <algorithm>

namespace alertspool {
namespace {

using namespace fuzz;

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

/// What the line is to say behind its id, as name and escaped value.
Fields expected(const Alert& alert) {
  Fields order, items;
  const Fields fields = first_of_each(alert.fields);
  for (const std::string_view name : documented_fields())
    if (const std::string* value = find(fields, name)) order.emplace_back(name, *value);
  for (const Field& field : fields)
    if (std::ranges::count(documented_fields(), field.first) == 0) order.push_back(field);
  for (const auto& [name, value] : order) {
    if (value.empty() || value == "null") continue;
    const std::string shown = name == "signature" ? "***" : value;
    const bool own = name == "id" || name == "test" || name == "truncated" || name == "field";
    if (!own && !name.empty() && name.find_first_not_of(kLetters) == name.npos)
      items.emplace_back(name, shown);
    else
      items.emplace_back("field", name + "=" + shown);
  }
  return items;
}

/// Takes ` name=value` off the front and gives the value without its quotes.
Field take_item(std::string_view& line) {
  demand(line.starts_with(' '), "items are parted by one blank");
  const auto equals = line.find('=');
  demand(equals != line.npos, "an item has a =");
  Field item{line.substr(1, equals - 1), ""};
  demand(!item.first.empty() && item.first.find_first_not_of(kLetters) == std::string::npos, "a name is plain");
  line.remove_prefix(equals + 1);
  if (!line.starts_with('"')) {
    item.second = line.substr(0, line.find(' '));
    demand(!item.second.empty() && item.second.find_first_of("\"=") == std::string::npos, "a bare value is plain");
    line.remove_prefix(item.second.size());
    return item;
  }
  for (line.remove_prefix(1); !line.starts_with('"'); line.remove_prefix(1)) {
    demand(!line.empty(), "a quote is closed");
    if (line.starts_with("\\\""))
      line.remove_prefix(1);
    else if (line.starts_with('\\'))
      item.second += '\\', line.remove_prefix(1);
    item.second += line.front();
  }
  line.remove_prefix(1);
  return item;
}

}  // namespace

/// A callback's body.
FUZZ_TARGET(line) {
  const bool test = input.size() % 2 == 1;
  DecodeResult decoded = decode_form(input);
  if (std::holds_alternative<Undecodable>(decoded)) return;
  const Alert alert = make_alert({}, std::get<Decoded>(std::move(decoded)).pairs, false);
  const std::string line = syslog_line(42, test, alert);
  demand(line.size() <= kMaxLine, "a line has at most 8,000 bytes");
  demand(is_utf8(line) && is_printable(line), "a line is one line of text");
  const std::string start = test ? "id=42 test=1" : "id=42";
  demand(line.starts_with(start), "a line starts with the id");

  std::size_t whole = start.size();
  const Fields items = expected(alert);
  for (const auto& [name, value] : items) whole += 1 + logfmt(name, value).size();
  const bool cut = whole > kMaxLine;
  std::string_view rest = std::string_view(line).substr(start.size());
  demand(rest.ends_with(" truncated=1") == cut, "a line that was cut says so, and no other does");
  if (cut) rest.remove_suffix(std::string_view(" truncated=1").size());
  std::size_t count = 0;
  for (; !rest.empty(); ++count) {
    const Field item = take_item(rest);
    demand(count < items.size() && item == Field(items[count].first, escape_controls(items[count].second)),
           "each item is the field that is due");
  }
  demand(cut ? count < items.size() : count == items.size(), "nothing is left out in silence");
  demand(syslog_severity(alert) >= 2 && syslog_severity(alert) <= 6, "a severity is crit to info");
}

}  // namespace alertspool
