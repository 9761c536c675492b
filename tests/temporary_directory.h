/// A directory of a test's own, removed with everything in it at the end.

#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace alertspool {

class TemporaryDirectory {
public:
  TemporaryDirectory() {
    if (mkdtemp(path_) == nullptr) throw std::runtime_error("cannot make a temporary directory");
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : std::string(path_) + "/" + name;
  }

private:
  char path_[32] = "/tmp/alertspool-test-XXXXXX";
};

}  // namespace alertspool
