/// The listening socket: handed over as descriptor 0 by whoever starts us, or opened by us.

#pragma once

#include "base/fd.h"

#include <string>

namespace alertspool {

/// One that was handed over stays open elsewhere when we end.
enum class Listener { ours, handed_over };

/// Whether that descriptor is a listening stream socket.
bool is_listening_socket(int fd) noexcept;

/// Takes descriptor 0 away (it becomes /dev/null) and returns it close-on-exec.
Fd take_standard_input();

/// A unix socket at `path`, 0660, with `group` when given. A socket whose owner is gone is replaced; a path that is no
/// socket, one whose owner still answers, and an unknown group are refused. Throws std::runtime_error naming what to
/// do.
Fd listen_unix(const std::string& path, const std::string& group);

}  // namespace alertspool
