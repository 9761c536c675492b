/// JSON for people's scripts: the objects of `list --json`, `show --json`, `explain --json` and a command's standard
/// input. Its source is the only file that reads or writes JSON.

#pragma once

#include "alert/alert.h"
#include "alert/environment.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alertspool {

/// One member and its value as JSON text.
using JsonMember = std::pair<std::string, std::string>;

std::string json_string(std::string_view text);  ///< quoted; invalid UTF-8 becomes U+FFFD
std::string json_object(const std::vector<JsonMember>& members);
std::string json_array(const std::vector<std::string>& values);
std::string json_fields(const Fields& fields);  ///< {"name":"value",...}; REQUIRES: each name once

/// The state of a delivery as `show` prints it.
struct DeliveryView {
  std::string action;
  std::string state;
  int attempts = 0;
  std::string due;   ///< RFC 3339; empty when nothing is due
  std::string last;  ///< `exit 0`
  std::string output;
};

/// What the spool knows of one alert.
struct AlertView {
  Stored stored;
  std::string state;
  int duplicates = 0;
  Alert alert;
  std::vector<DeliveryView> deliveries;
};

/// The `show --json` object on one line, with `extra` members behind. `signature` is masked as in the log line.
std::string to_json(const AlertView& view, const std::vector<JsonMember>& extra = {});

}  // namespace alertspool
