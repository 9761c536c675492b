/// Files that come with the specification: captured callbacks and test vectors of others. They lie outside the
/// repository; a test that needs one skips itself where they are missing.

#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace alertspool {

/// The whole file; nullopt when it is not there. `name` is like `data/callbacks/vendor-sample-2021.form`.
inline std::optional<std::string> read_shared(const std::string& name) {
  const char* directory = std::getenv("ALERTSPOOL_SHARED");
  std::ifstream file(std::string(directory ? directory : "../shared") + "/" + name, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace alertspool

/// Declares `variable` as the file's text, or skips the test.
#define READ_SHARED_OR_SKIP(variable, name)                                               \
  const auto variable##_file = alertspool::read_shared(name);                             \
  if (!variable##_file) GTEST_SKIP() << (name) << " is not there; set ALERTSPOOL_SHARED"; \
  const std::string& variable = *variable##_file
