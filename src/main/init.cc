/// init: makes the spool before the first callback does.

#include "main/operator.h"

#include <sys/stat.h>

#include <iostream>

namespace alertspool {
namespace {

int run(const Arguments& arguments) {
  umask(007);
  OpenSpool spool(arguments, StoreUse::receive);
  const bool made = spool.store.init();
  std::cout << spool_path(spool.config) << (made ? " made\n" : " was there already\n");
  return kOk;
}

}  // namespace

const Verb kInitVerb{"init", "", "makes a new spool where there is none", {}, run};

}  // namespace alertspool
