#include "alert/address.h"

#include "base/text.h"

#include <arpa/inet.h>

#include <algorithm>

namespace alertspool {
namespace {

constexpr std::string_view kIntl[] = {"47.74.206.0/26", "47.74.206.64/26", "47.74.206.128/26", "47.74.206.192/26",
                                      "8.222.159.116"};
constexpr std::string_view kChina[] = {"106.11.225.0/24", "106.11.226.0/24",  "106.11.227.0/24",
                                       "106.11.242.0/24", "106.11.167.0/24",  "106.11.245.0/24",
                                       "59.82.0.0/16",    "203.119.128.0/17", "121.41.9.246"};

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/// Without the bits behind `length`.
Address masked(Address address, unsigned length) noexcept {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    const unsigned kept = std::clamp(length, 8 * i, 8 * i + 8) - 8 * i;
    address.bytes[i] &= static_cast<std::uint8_t>(0xFF00 >> kept);
  }
  return address;
}

}  // namespace

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != terminated.npos) return std::nullopt;
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    address.v4 = true;
  } else if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  } else if (std::ranges::equal(kMapped, std::span(address.bytes).first<kMapped.size()>())) {
    const auto& bytes = address.bytes;
    return Address{true, {bytes[12], bytes[13], bytes[14], bytes[15]}};
  }
  return address;
}

bool Prefix::contains(const Address& address) const noexcept {
  return masked(address, length) == network;  // of the same family, too
}

std::variant<Prefix, std::string> parse_prefix(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return "`" + std::string(text.substr(0, slash)) + "` is no IPv4 or IPv6 address";
  const bool written_v4 = text.substr(0, slash).find(':') == text.npos;
  const unsigned most = written_v4 ? 32 : 128;
  const unsigned least = address->v4 && !written_v4 ? 96 : 0;  // of ::ffff:192.0.2.0/120, what counts is /24
  const auto digits = text.substr(std::min(slash + 1, text.size()));
  const auto length = slash == text.size() ? most : parse_number(digits);
  if (!length || *length < least || *length > most || (digits.size() > 1 && digits[0] == '0')) {
    return "prefix length `" + std::string(digits) + "` is no number from " + std::to_string(least) + " to " +
           std::to_string(most);
  }
  const Prefix prefix{*address, static_cast<unsigned>(*length) - least};
  const Address network = masked(*address, prefix.length);
  if (network == *address) return prefix;
  return "host bits are set; " + network.text() + "/" + std::to_string(prefix.length) + " was probably meant";
}

std::span<const Preset> presets() noexcept {
  static constexpr Preset kPresets[] = {{"cloudmonitor-intl", "2024", kIntl}, {"cloudmonitor-china", "2026", kChina}};
  return kPresets;
}

std::span<const std::string_view> default_prefixes() noexcept {
  return std::span(kIntl).first<4>();
}

}  // namespace alertspool
