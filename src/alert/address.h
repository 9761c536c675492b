/// Addresses and prefixes. inet_pton(3) decides what an address is: no leading zeros, no zone, no port.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace alertspool {

struct Address {
  bool v4 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4 in the first four

  bool operator==(const Address&) const = default;
  std::string text() const;
};

/// An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, as a dual-stack listener says it) is the IPv4 address.
std::optional<Address> parse_address(std::string_view text);

struct Prefix {
  Address network;
  unsigned length = 0;  ///< 0 to 32 for IPv4, 0 to 128 for IPv6

  bool contains(const Address& address) const noexcept;
};

/// `47.74.206.0/26`, or a single address. The string is why not: bad address, bad length, or host bits set (then it
/// names the prefix that was probably meant).
std::variant<Prefix, std::string> parse_prefix(std::string_view text);

/// A dated list of CloudMonitor's published source addresses.
struct Preset {
  std::string_view name;  ///< `cloudmonitor-intl`, `cloudmonitor-china`
  std::string_view date;  ///< of the vendor's page, `2024`
  std::span<const std::string_view> prefixes;
};
std::span<const Preset> presets() noexcept;

/// The documented four /26 blocks of 2021, allowed when nothing is configured.
std::span<const std::string_view> default_prefixes() noexcept;

}  // namespace alertspool
