#include "base/log.h"
#include "base/text.h"
#include "main/verb.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>

namespace alertspool {

namespace {

namespace po = boost::program_options;
using Words = std::vector<std::string>;

constexpr unsigned kScreenWidth = 80;

std::string_view variable(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

po::options_description options_of(const Verb& verb) {
  po::options_description options("options", kScreenWidth);
  auto add = options.add_options();
  for (const OptionSpec& option : verb.options) {
    if (*option.value == '\0')
      add(option.name, new po::untyped_value(true), option.help);
    else
      add(option.name, po::value<std::string>()->value_name(option.value), option.help);
  }
  add("config", po::value<std::string>()->value_name("FILE"), (std::string("instead of ") + kDefaultConfig).c_str());
  add("help,h", new po::untyped_value(true), "what this does");
  add("version", new po::untyped_value(true), "the version");
  return options;
}

/// Takes the verb out of the words; nullptr when there is none. Of the options before it only --config has a value.
const Verb* take_verb(Words& words) {
  auto word = words.begin();
  while (word != words.end() && word->starts_with('-')) word += *word == "--config" && word + 1 != words.end() ? 2 : 1;
  if (word == words.end()) return nullptr;
  const std::string name = *word;
  words.erase(word);
  for (const Verb* verb : verbs())
    if (name == verb->name) return verb;
  throw UsageError("no verb " + name + ": alertspool --help lists them");
}

/// Throws po::error.
void take_options(const Words& words, Call& call) {
  const auto options = options_of(*call.verb);
  namespace style = po::command_line_style;
  const auto parsed =
      po::command_line_parser(words).options(options).style(style::unix_style & ~style::allow_guessing).run();
  for (const auto& option : parsed.options) {
    const std::string value = option.value.empty() ? "" : option.value.front();
    if (option.position_key >= 0)
      call.arguments.positional.push_back(value);
    else
      call.arguments.add(option.string_key, value);
  }
  call.help = call.arguments.has("help");
  call.version = call.arguments.has("version");
}

void print_help(const Verb& verb) {
  std::cout << "usage: alertspool " << verb.name << " [OPTION...]" << (*verb.arguments == '\0' ? "" : " ")
            << verb.arguments << "\n\n"
            << verb.summary << "\n\n"
            << options_of(verb);
}

void print_help() {
  std::cout << "usage: alertspool [VERB] [OPTION...] [ARGUMENT...]\n\n"
               "Receives CloudMonitor alert callbacks behind a web server, keeps them durably\n"
               "and delivers them to syslog and to commands. Without a verb: serve.\n\n";
  for (const Verb* verb : verbs())
    std::cout << "  " << std::left << std::setw(10) << verb->name << verb->summary << "\n";
  std::cout << "\nalertspool VERB --help says more of each; the manual is alertspool(8).\n";
}

/// Descriptor 2 is /dev/null: closed before main() opened it so, or meant so by who started us.
bool nobody_reads_errors() noexcept {
  struct stat status {};
  return fstat(STDERR_FILENO, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

int run_call(const Call& call) {
  int code = kOk;
  if (call.version)
    std::cout << "alertspool " ALERTSPOOL_VERSION "\n";
  else if (call.help && call.named)
    print_help(*call.verb);
  else if (call.help)
    print_help();
  else
    code = call.verb->run(call.arguments);
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
  return code;
}

}  // namespace

bool Arguments::has(std::string_view option) const {
  return find(given_, option) != nullptr;
}

std::string Arguments::value(std::string_view option, const std::string& fallback) const {
  const auto all = values(option);
  return all.empty() ? fallback : all.back();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  std::vector<std::string> result;
  for (const auto& [name, value] : given_)
    if (name == option) result.push_back(value);
  return result;
}

const std::vector<const Verb*>& verbs() {
  static const std::vector<const Verb*> all = {&kServeVerb, &kDeliverVerb, &kCheckVerb,  &kExplainVerb, &kSampleVerb,
                                               &kTestVerb,  &kUrlVerb,     &kInitVerb,   &kListVerb,    &kShowVerb,
                                               &kRetryVerb, &kDropVerb,    &kBackupVerb, &kCopyVerb,    &kStatusVerb};
  return all;
}

bool is_cgi() noexcept {
  return !variable("GATEWAY_INTERFACE").empty();
}

Call parse_call(const std::vector<std::string>& words) {
  Call call;
  Words rest = words;
  const bool cgi = is_cgi();
  const std::string_view query = variable("QUERY_STRING");
  if (cgi && !query.empty() && query.find('=') == query.npos) rest.clear();

  const Verb* named = take_verb(rest);
  call.named = named != nullptr;
  call.verb = call.named && !cgi ? named : &kServeVerb;
  const std::string verb = call.verb->name, hint = "; alertspool " + verb + " --help lists the options";
  try {
    take_options(rest, call);
  } catch (const po::error& error) {
    throw UsageError(verb + ": " + error.what() + hint);
  }
  if (*call.verb->arguments == '\0' && !call.arguments.positional.empty())
    throw UsageError(verb + " takes no argument: " + call.arguments.positional.front() + hint);
  if (!cgi) return call;
  call.help = call.version = false;
  const std::string_view path = variable("ALERTSPOOL_CONFIG");
  if (!call.arguments.has("config") && !path.empty()) call.arguments.add("config", std::string(path));
  return call;
}

Config config_of(const Arguments& arguments, Secrets secrets) {
  return read_config(arguments.value("config", kDefaultConfig), arguments.has("config"), secrets);
}

int run_main(int argc, char** argv) {
  bool to_syslog = false;
  const auto complain = [&](int code, const char* text) {
    if (!to_syslog) std::cerr << "alertspool: " << text << "\n";
    if (to_syslog)
      for (const std::string& line : split(text, '\n')) log::error("end", {{"error", line}});
    return code;
  };
  try {
    const Call call = parse_call({argv + std::min(argc, 1), argv + argc});
    to_syslog = (call.verb == &kServeVerb || call.verb == &kDeliverVerb) && nobody_reads_errors();
    if (to_syslog) log::open(log::Target::syslog);
    return run_call(call);
  } catch (const UsageError& error) {
    return complain(kUsage, error.what());
  } catch (const ConfigError& error) {
    return complain(kConfigError, error.what());
  } catch (const std::runtime_error& error) {  // StoreError, std::system_error: something around us is broken
    return complain(kUnavailable, error.what());
  } catch (const std::exception& error) {
    return complain(kSoftware, error.what());
  }
}

}  // namespace alertspool
