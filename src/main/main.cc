#include "base/fd.h"
#include "main/verb.h"

int main(int argc, char** argv) {
  alertspool::open_standard_descriptors();
  return alertspool::run_main(argc, argv);
}
