/// Config: /etc/alertspool/alertspool.conf as values. Everything that can be wrong with the file is found here, all of
/// it at once, each error naming file, line, key and, for an unknown key, the nearest known one.

#pragma once

#include "deliver/action_config.h"
#include "deliver/deliverer.h"
#include "main/config_file.h"
#include "store/store.h"
#include "web/receive.h"

#include <string>
#include <vector>

namespace alertspool {

inline constexpr const char* kDefaultConfig = "/etc/alertspool/alertspool.conf";

struct Config {
  std::string path;
  StoreSettings store;
  Access access;
  std::string token_file;  ///< empty: none
  std::string listen;      ///< path of a unix socket; empty: none
  std::string listen_group;
  std::size_t max_body = 0;
  milliseconds keep{};
  bool deliver = true;
  std::vector<ActionConfig> actions;  ///< never empty: without any, one syslog action named `log`

  ReceiverSettings receiver() const;
  DelivererSettings deliverer() const;
};

/// Whether the token file is read too. The deliverer and who lists alerts need no secret, so they may run as a user who
/// cannot read it.
enum class Secrets { read, leave };

/// Reads the file and the token file that it names. A missing kDefaultConfig that nobody asked for by name gives the
/// defaults. Throws ConfigError.
Config read_config(const std::string& path, bool asked_for, Secrets secrets = Secrets::read);

/// The same from text; `path` is only named in errors.
Config parse_config(const std::string& text, const std::string& path, Secrets secrets = Secrets::read);

/// What messages call the spool: its file, or the URL without passwords.
std::string spool_name(const Config& config);
/// The fifo by which a receiver wakes the deliverer on this machine: beside the spool, or where spools are kept.
std::string wake_path(const Config& config);
/// Of this machine, as leases and attempts name it.
std::string host_name();

}  // namespace alertspool
