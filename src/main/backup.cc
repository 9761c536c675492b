/// backup and init: the spool's file, copied while all runs and made before the first callback does it.

#include "base/log.h"
#include "main/operator.h"

#include <sys/stat.h>

#include <filesystem>
#include <iostream>

namespace alertspool {
namespace {

int backup(const Arguments& arguments) {
  if (arguments.positional.size() != 1 || arguments.positional[0].empty())
    throw UsageError("backup needs the name of a FILE that does not exist yet");
  const std::string& path = arguments.positional[0];
  if (std::filesystem::exists(std::filesystem::symlink_status(path)))
    throw UsageError("backup: " + path + " exists and stays as it is; name a file that does not exist yet");
  OpenSpool spool(arguments, StoreUse::read);
  umask(077);  // alerts name hosts, people and accounts
  spool.store.backup(path);
  const std::string bytes = std::to_string(std::filesystem::file_size(path));
  std::cout << path << ": " << bytes << " bytes\n";
  log::notice("backup", {{"by", operator_name()}, {"file", path}, {"bytes", bytes}});
  return kOk;
}

int init(const Arguments& arguments) {
  umask(007);
  OpenSpool spool(arguments, StoreUse::receive);
  const bool made = spool.store.init();
  if (!made) spool.store.connect();  // throws when what is there is no spool
  std::cout << spool_name(spool.config) << (made ? " made\n" : " was there already\n");
  return kOk;
}

}  // namespace

const Verb kBackupVerb{"backup", "FILE", "a consistent copy of the spool while all runs", {}, backup};
const Verb kInitVerb{"init", "", "makes a new spool where there is none", {}, init};

}  // namespace alertspool
