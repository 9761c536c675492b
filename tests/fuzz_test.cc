// Every seed of every fuzz target keeps the target's promises, with no fuzzer at hand.

#include "fuzz/fuzz.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace alertspool {
namespace {

TEST(Fuzz, EverySeedKeepsItsPromises) {
  for (const auto& [name, target] : fuzz::targets()) {
    int seeds = 0;
    for (const auto& seed : std::filesystem::directory_iterator("tests/fuzz/seeds/" + name)) {
      std::ifstream file(seed.path(), std::ios::binary);
      const std::string input(std::istreambuf_iterator<char>(file), {});
      EXPECT_NO_THROW(target(input)) << seed.path();
      ++seeds;
    }
    EXPECT_GT(seeds, 0) << name;
  }
}

}  // namespace
}  // namespace alertspool
