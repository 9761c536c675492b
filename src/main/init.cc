// `alertspool init`: makes the spool before the first callback does.

#include "main/verb.h"
#include "store/store.h"

#include <sys/stat.h>

#include <iostream>

namespace alertspool {

namespace {

int init(const Arguments& arguments) {
  if (!arguments.positional.empty()) throw UsageError("init takes no argument: the configuration names the spool");
  umask(007);
  const Config config = config_of(arguments, Secrets::leave);
  const SystemClock clock;
  const bool made = Store(config.store, StoreUse::receive, clock).init();
  std::cout << spool_path(config) << (made ? " made\n" : " was there already\n");
  return kOk;
}

}  // namespace

const Verb kInitVerb{"init", "", "makes a new spool where there is none", {}, init};

}  // namespace alertspool
