/// Digests: SHA-256, and comparing secrets. Its source is the only file that knows Nettle.

#pragma once

#include <string>
#include <string_view>

namespace alertspool {

/// SHA-256 in lower-case hex.
std::string sha256_hex(std::string_view bytes);

/// Takes the same time wherever two secrets differ, and however long they are apart from hashing them.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace alertspool
