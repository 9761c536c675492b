/// The URL of a store: what is wrong with it, what it names, and what of it may be shown.

#pragma once

#include <string>

namespace alertspool {

/// Why no store can have this URL; empty: one can.
std::string fault_of_url(const std::string& url);

/// The file that `sqlite:` names; empty for a server.
std::string file_of_url(const std::string& url);

/// For libpq: with our parameters before those of the user, of which the last counts.
std::string server_url(const std::string& url);

/// `***` in the place of passwords.
std::string public_url(const std::string& url);

}  // namespace alertspool
