// What libFuzzer calls: the target that $FUZZ_TARGET names.

#include "fuzz.h"

#include <cstdint>
#include <cstdlib>

using alertspool::fuzz::Target;

static Target chosen() {
  const char* name = std::getenv("FUZZ_TARGET");
  return alertspool::fuzz::targets().at(name ? name : "");
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Target target = chosen();
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
