#include "alert/environment.h"

#include "alert/authorise.h"
#include "alert/decode.h"
#include "base/text.h"
#include "fuzz.h"

#include <algorithm>
#include <map>
#include <set>

namespace alertspool {
namespace {

using namespace fuzz;

constexpr std::string_view kAlways[] = {"ID",       "UID",  "TEST",  "TOKEN",    "ACTION",      "ATTEMPT",
                                        "RECEIVED", "TIME", "ALARM", "SEVERITY", "REMOTE_ADDR", "TRUNCATED"};

/// Without underscores, in capitals: what a name and its variable have in common.
std::string letters(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != '_') out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

/// What may stand in a variable of that value: it, or nothing for `null`; up to the first NUL.
std::string_view exported(std::string_view value) {
  return value == "null" ? "" : value.substr(0, value.find('\0'));
}

bool is_of(const Fields& fields, std::string_view name, std::string_view value, bool cut) {
  return std::ranges::any_of(fields, [&](const Field& field) {
    return letters(field.first) == letters(name) &&
           (cut ? exported(field.second).starts_with(value) : exported(field.second) == value);
  });
}

}  // namespace

/// The first line is the callback URL's query, the rest the body. With a `!` in front of it all values are long.
FUZZ_TARGET(environment) {
  const bool long_values = input.starts_with('!');
  input.remove_prefix(long_values ? 1 : 0);
  const Query query = parse_query(take_line(input));
  DecodeResult decoded = decode_form(input);
  if (std::holds_alternative<Undecodable>(decoded)) return;
  Fields fields = std::get<Decoded>(std::move(decoded)).pairs;
  if (long_values)
    for (auto& [name, value] : fields)
      for (int i = 0; i < 8 && !value.empty(); ++i) value += value;
  const Alert alert = make_alert({"192.0.2.1", "ops", query.parameters}, std::move(fields), false);
  const std::vector<std::string> base = {"PATH=/bin", "HOME=/", "LANG=C"};
  const auto list = environment({42, "then", false}, {"page", 2}, alert, base);

  demand(std::equal(base.begin(), base.end(), list.begin()), "the base comes first, as it is");
  std::map<std::string, std::string> variables;
  std::size_t size = 0;
  for (const std::string& variable : list) {
    size += variable.size() + 1 + sizeof(char*);
    demand(variable.size() <= kMaxVariable && variable.find('\0') == variable.npos, "the kernel takes a variable");
    demand(is_utf8(variable), "a value is cut between characters");
    const auto equals = variable.find('=');
    demand(equals != variable.npos, "a variable has a =");
    demand(variables.emplace(variable.substr(0, equals), variable.substr(equals + 1)).second,
           "each name is there once");
  }
  demand(size <= kMaxEnvironment, "the kernel takes the environment");

  std::set<std::string> cut;
  for (const std::string& name : split(variables.at("ALERTSPOOL_TRUNCATED"), ' ')) cut.insert(name);
  demand(list.back().starts_with("ALERTSPOOL_TRUNCATED="), "what was cut comes last");
  const bool all_named = !cut.contains("...");
  for (const std::string_view name : kAlways)
    demand(variables.contains("ALERTSPOOL_" + std::string(name)), "what the spool knows is always set");
  demand(variables.at("ALERTSPOOL_ID") == "42" && variables.at("ALERTSPOOL_TOKEN") == "ops",
         "and is never the sender's");
  for (const std::string_view name : documented_fields()) {
    const std::string variable = "CMS_" + upper_snake(name);
    demand(variables.contains(variable), "a documented field is always set");
    if (all_named && !cut.contains(variable))
      demand(variables.at(variable) == value_of(alert.fields, name), "a documented field is the sender's first");
  }
  for (std::size_t i = base.size(); i < list.size(); ++i) {
    const std::string name = list[i].substr(0, list[i].find('='));
    const std::string& value = variables.at(name);
    const bool may_be_cut = !all_named || cut.contains(name);
    demand(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == name.npos, "a name is a variable's");
    demand(name != "CMS_SIGNATURE", "the signature is never exported");
    const auto of = [&](std::string_view prefix, const Fields& from) {
      return name.starts_with(prefix) && is_of(from, std::string_view(name).substr(prefix.size()), value, may_be_cut);
    };
    const bool known = name.starts_with("ALERTSPOOL_") && std::ranges::count(kAlways, name.substr(11)) == 1;
    demand(known || of("ALERTSPOOL_URL_", alert.origin.url) || of("CMS_DIMENSION_", alert.dimensions) ||
               of("CMS_", alert.fields) || (name.starts_with("CMS_") && value.empty()),
           "every other variable is a field, a dimension or a parameter");
  }
}

}  // namespace alertspool
