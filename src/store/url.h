/// The URL of a store: what is wrong with it, and what of it may be shown.

#pragma once

#include <string>

namespace alertspool {

/// Why no store can have this URL; empty: one can.
std::string fault_of_url(const std::string& url);

/// The file that `sqlite:` names; empty for a server.
std::string file_of_url(const std::string& url);

}  // namespace alertspool
