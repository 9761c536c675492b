/// backup: a consistent copy of the spool while all runs.

#include "base/log.h"
#include "main/operator.h"
#include "main/verb.h"
#include "store/store.h"

#include <sys/stat.h>

#include <filesystem>
#include <iostream>

namespace alertspool {
namespace {

int run(const Arguments& arguments) {
  if (arguments.positional.size() != 1) throw UsageError("backup needs the name of a FILE that does not exist yet");
  const std::string& path = arguments.positional[0];
  const Config config = config_of(arguments, Secrets::leave);
  if (std::filesystem::exists(std::filesystem::symlink_status(path)))
    throw UsageError("backup: " + path + " exists and stays as it is; name a file that does not exist yet");
  const SystemClock clock;
  Store store(config.store, StoreUse::read, clock);
  umask(077);  // alerts name hosts, people and accounts
  store.backup(path);
  const std::uintmax_t bytes = std::filesystem::file_size(path);
  std::cout << path << ": " << bytes << " bytes\n";
  log::notice("backup", {{"by", operator_name()}, {"file", path}, {"bytes", std::to_string(bytes)}});
  return kOk;
}

}  // namespace

const Verb kBackupVerb{"backup", "FILE", "a consistent copy of the spool while all runs", {}, run};

}  // namespace alertspool
