#include "main/config.h"

#include "base/text.h"
#include "fuzz.h"

#include <sys/un.h>

#include <algorithm>
#include <set>

namespace alertspool {
namespace {

using namespace fuzz;
using namespace std::chrono_literals;

const std::string kPath = "/etc/x.conf";

bool same(const ConfigText& a, const ConfigText& b) {
  const auto lines = [](const ConfigLine& x, const ConfigLine& y) { return x.key == y.key && x.value == y.value; };
  const auto sections = [&](const ConfigSection& x, const ConfigSection& y) {
    return x.name == y.name && std::ranges::equal(x.lines, y.lines, lines);
  };
  return std::ranges::equal(a.sections, b.sections, sections);
}

void splits(std::string_view input) {
  const ConfigText text = split_config(input);
  demand(!text.sections.empty() && text.sections.front().name.empty(), "the first section has no name");
  const int last = static_cast<int>(std::ranges::count(input, '\n')) + 1;
  std::string again;
  for (const ConfigSection& section : text.sections) {
    if (section.number > 0) again += "[" + section.name + "]\n";
    for (const ConfigLine& line : section.lines) {
      demand(line.number > section.number && line.number <= last, "a line has its number");
      demand(!line.key.empty() && line.key.find('=') == line.key.npos, "the key ends at the first =");
      demand(!line.value.empty() && trim(line.value) == line.value,
             "a value is not empty and has no blanks at its ends");
      again += line.key + "=" + line.value + "\n";
    }
  }
  for (const ConfigFault& fault : text.faults)
    demand(fault.line > 0 && fault.line <= last && !fault.what.empty(), "a fault has its line");
  const ConfigText reread = split_config(again);
  demand(reread.faults.empty() && same(reread, text), "what was understood says the same when written again");
}

void within_limits(const Config& config) {
  demand(config.store.url.starts_with("sqlite:/"), "a store is an absolute path");
  demand(config.max_body >= 1024 && config.max_body <= (16U << 20), "max-body is 1KiB to 16MiB");
  demand(config.store.max_waiting >= 1, "something may wait");
  demand(config.keep >= 24h && config.keep <= 24h * 3650, "keep has limits");
  demand(!config.access.allow.empty(), "somebody is allowed");
  demand(config.listen.empty() || (config.listen[0] == '/' && config.listen.size() < sizeof(sockaddr_un::sun_path)),
         "listen is a socket's path");
  for (const std::string& id : config.access.user_ids)
    demand(!id.empty() && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; }), "accounts are digits");
  demand(!config.actions.empty(), "there is an action");
  std::set<std::string> names;
  for (const ActionConfig& action : config.actions) {
    demand(is_name(action.route.action) && names.insert(action.route.action).second, "an action has a name of its own");
    demand(action.retry.retry_min > 0ms && action.retry.retry_min <= action.retry.retry_max &&
               action.retry.retry_max <= action.retry.give_up_after,
           "retry-min <= retry-max <= give-up-after");
    demand(action.facility >= 0 && action.facility < 24, "a facility is one of RFC 5424");
    demand(action.socket[0] == '/', "a socket is an absolute path");
    demand(action.parallel >= 1 && action.parallel <= 256 && action.timeout >= 1s, "a command may run");
    if (action.type == ActionConfig::Type::command) demand(action.run.at(0).starts_with('/'), "no PATH is searched");
    for (const int code : action.retry.give_up_exit) demand(code >= 1 && code <= 255, "an exit code is one");
  }
}

/// Every line of a refusal names file and line.
void names_its_lines(std::string_view why, std::string_view input) {
  demand(!why.empty(), "a refusal has a reason");
  while (!why.empty()) {
    std::string_view line = take_line(why);
    demand(line.starts_with(kPath + ":"), "an error names the file");
    line.remove_prefix(kPath.size() + 1);
    const auto number = parse_number(line.substr(0, line.find(':')));
    demand(number && *number > 0 && *number <= static_cast<std::size_t>(std::ranges::count(input, '\n')) + 1,
           "an error names a line of the file");
  }
}

}  // namespace

FUZZ_TARGET(config) {
  splits(input);
  std::string why;
  try {
    return within_limits(parse_config(std::string(input), kPath, Secrets::leave));
  } catch (const ConfigError& error) {
    why = error.what();
  }
  names_its_lines(why, input);
}

}  // namespace alertspool
