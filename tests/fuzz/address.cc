#include "alert/address.h"

#include "fuzz.h"

#include <arpa/inet.h>

namespace alertspool {
namespace {

using namespace fuzz;

void address(std::string_view input) {
  const auto parsed = parse_address(input);
  const std::string text(input);
  std::array<unsigned char, 16> v4{}, v6{};
  const bool terminated = text.find('\0') == text.npos;
  const bool is_v4 = terminated && inet_pton(AF_INET, text.c_str(), v4.data()) == 1;
  const bool is_v6 = terminated && inet_pton(AF_INET6, text.c_str(), v6.data()) == 1;
  demand(parsed.has_value() == (is_v4 || is_v6), "inet_pton(3) says what an address is");
  if (!parsed) return;
  if (is_v4) demand(parsed->v4 && parsed->bytes == v4 && parsed->text() == text, "an IPv4 address has one text");
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
  const bool mapped = is_v6 && std::string_view(reinterpret_cast<const char*>(v6.data()), 12) == kMapped;
  if (is_v6) demand(parsed->v4 == mapped && (mapped || parsed->bytes == v6), "only a mapped address is IPv4");
  demand(parse_address(parsed->text()) == parsed, "the canonical text is the same address");
  const auto alone = parse_prefix(input);
  demand(std::holds_alternative<Prefix>(alone), "a single address is a prefix");
  demand(std::get<Prefix>(alone).length == (parsed->v4 ? 32 : 128), "of its whole length");
}

/// Every bit of the address, flipped: within the prefix it leads out of it, behind it it does not.
void bits(const Prefix& prefix) {
  const unsigned size = prefix.network.v4 ? 32 : 128;
  demand(prefix.length <= size, "a prefix is not longer than an address");
  demand(prefix.contains(prefix.network), "a prefix contains its network");
  for (unsigned bit = 0; bit < size; ++bit) {
    Address other = prefix.network;
    other.bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    demand(prefix.contains(other) == (bit >= prefix.length), "a prefix contains what differs behind its length only");
  }
  Address other_family = prefix.network;
  other_family.v4 = !other_family.v4;
  demand(!prefix.contains(other_family), "a prefix is of one family");
}

}  // namespace

FUZZ_TARGET(address) {
  address(input);
  const auto parsed = parse_prefix(input);
  if (const auto* why = std::get_if<std::string>(&parsed)) {
    const std::string_view meant = " was probably meant";
    if (!why->ends_with(meant)) return;
    const auto start = why->find("; ") + 2;
    const auto cure = parse_prefix(why->substr(start, why->size() - meant.size() - start));
    return demand(std::holds_alternative<Prefix>(cure), "the prefix that was probably meant is one");
  }
  const auto& prefix = std::get<Prefix>(parsed);
  bits(prefix);
  const auto again = parse_prefix(prefix.network.text() + "/" + std::to_string(prefix.length));
  demand(std::get<Prefix>(again).network == prefix.network && std::get<Prefix>(again).length == prefix.length,
         "the canonical text is the same prefix");
}

}  // namespace alertspool
