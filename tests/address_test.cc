#include "alert/address.h"

#include "alert/decode.h"
#include "base/text.h"
#include "shared_data.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace alertspool {
namespace {

using namespace std::string_literals;

Prefix prefix(std::string_view text) {
  return std::get<Prefix>(parse_prefix(text));
}

std::string why_not(std::string_view text) {
  const auto result = parse_prefix(text);
  const auto* why = std::get_if<std::string>(&result);
  return why ? *why : "accepted";
}

/// As Go writes it: 16 bytes, IPv4 mapped.
std::string addr128_hex(const Address& address) {
  const std::string hex = to_hex({reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
  return address.v4 ? "00000000000000000000ffff" + hex.substr(0, 8) : hex;
}

/// Go also takes zones and more than four hex digits; inet_pton(3) does not.
TEST(Address, AgreesWithGoExceptForZonesAndLongGroups) {
  READ_SHARED_OR_SKIP(text, "data/vectors/ip_address_go.json");
  const auto vectors = nlohmann::json::parse(text);
  ASSERT_EQ(vectors["cases"].size(), 70u);
  for (const auto& one : vectors["cases"]) {
    const std::string input = one["input"];
    const bool taken = one["valid"] && input.find('%') == input.npos && input.find("000000") == input.npos;
    const auto address = parse_address(input);
    ASSERT_EQ(address.has_value(), taken) << input;
    if (!address || !one.contains("addr128_hex")) continue;
    EXPECT_EQ(addr128_hex(*address), one["addr128_hex"]) << input;
  }
}

TEST(Address, IsRefusedWithAnythingAround) {
  for (const std::string& bad : {""s, "unix:"s, "192.0.2.1:80"s, "[::1]"s, "[::1]:80"s, " 192.0.2.1"s, "192.0.2.1 "s,
                                 "192.0.2.01"s, "192.0.2.1\n"s, "192.0.2.1\0"s, "192.0.2.1\0.5"s, "192.0.2"s, "::1%lo"s,
                                 "localhost"s, "192.0.2.1/32"s, "3221225985"s}) {
    EXPECT_EQ(parse_address(bad), std::nullopt) << bad;
  }
}

TEST(Address, IsWrittenInItsCanonicalForm) {
  const std::pair<const char*, const char*> cases[] = {{"192.0.2.1", "192.0.2.1"},
                                                       {"::ffff:192.0.2.1", "192.0.2.1"},
                                                       {"::FFFF:c000:201", "192.0.2.1"},
                                                       {"2001:DB8:0:0::1", "2001:db8::1"},
                                                       {"::", "::"}};
  for (const auto& [text, canonical] : cases) EXPECT_EQ(parse_address(text)->text(), canonical);
}

TEST(Prefix, AgreesWithGoOnWhatItContains) {
  READ_SHARED_OR_SKIP(text, "data/vectors/cidr_contains_go.json");
  int checked = 0;
  const auto vectors = nlohmann::json::parse(text);
  ASSERT_EQ(vectors["cases"].size(), 30u);
  for (const auto& one : vectors["cases"]) {
    const auto result = parse_prefix(one["prefix"].get<std::string>());
    if (!std::holds_alternative<Prefix>(result)) {  // Go masks host bits away, we refuse them
      EXPECT_NE(std::get<std::string>(result).find("host bits"), std::string::npos) << one;
      continue;
    }
    const auto address = parse_address(one["addr"].get<std::string>());
    ASSERT_TRUE(address) << one;
    EXPECT_EQ(std::get<Prefix>(result).contains(*address), one["contains"].get<bool>()) << one;
    ++checked;
  }
  EXPECT_GE(checked, 25);
}

TEST(Prefix, AgreesWithGoOnWhatItIsExceptForHostBitsAndSingleAddresses) {
  READ_SHARED_OR_SKIP(text, "data/vectors/cidr_parse_go.json");
  const auto vectors = nlohmann::json::parse(text);
  ASSERT_EQ(vectors["cases"].size(), 36u);
  for (const auto& one : vectors["cases"]) {
    const std::string input = one["prefix"];
    const std::string why = why_not(input);
    const bool single = parse_address(input).has_value();
    const bool host_bits = why.starts_with("host bits");
    EXPECT_EQ(why == "accepted", single || (one["valid"] && !host_bits)) << input << ": " << why;
    EXPECT_TRUE(one["valid"] || !host_bits) << input;
  }
}

TEST(Prefix, SaysWhyItIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"47.74.206.0/33", "prefix length `33` is no number from 0 to 32"},
      {"47.74.206.0/032", "prefix length `032` is no number from 0 to 32"},
      {"47.74.206.0/", "prefix length `` is no number from 0 to 32"},
      {"47.74.206.0/+26", "prefix length `+26` is no number from 0 to 32"},
      {"47.74.206.0/26/26", "prefix length `26/26` is no number from 0 to 32"},
      {"2001:db8::/129", "prefix length `129` is no number from 0 to 128"},
      {"::ffff:0.0.0.0/95", "prefix length `95` is no number from 96 to 128"},
      {"47.74.206.65/26", "host bits are set; 47.74.206.64/26 was probably meant"},
      {"2001:db8::1/64", "host bits are set; 2001:db8::/64 was probably meant"},
      {"1.2.3.4/0", "host bits are set; 0.0.0.0/0 was probably meant"},
      {"cloudmonitor", "`cloudmonitor` is no IPv4 or IPv6 address"},
      {"", "`` is no IPv4 or IPv6 address"},
      {"/26", "`` is no IPv4 or IPv6 address"},
  };
  for (const auto& [text, reason] : cases) EXPECT_EQ(why_not(text), reason);
}

TEST(Prefix, OfASingleAddressIsThatAddress) {
  EXPECT_EQ(prefix("192.0.2.1").length, 32u);
  EXPECT_EQ(prefix("2001:db8::1").length, 128u);
  EXPECT_EQ(prefix("::ffff:192.0.2.1").length, 32u);
  EXPECT_TRUE(prefix("192.0.2.1").contains(*parse_address("::ffff:192.0.2.1")));
  EXPECT_FALSE(prefix("192.0.2.1").contains(*parse_address("192.0.2.2")));
}

TEST(Prefix, WrittenAsMappedIsTheIpv4One) {
  EXPECT_EQ(prefix("::ffff:192.0.2.0/120").length, 24u);
  EXPECT_TRUE(prefix("::ffff:192.0.2.0/120").contains(*parse_address("192.0.2.200")));
  EXPECT_FALSE(prefix("::ffff:192.0.2.0/120").contains(*parse_address("192.0.3.1")));
}

TEST(Prefix, OfOneFamilyContainsNothingOfTheOther) {
  EXPECT_FALSE(prefix("::/0").contains(*parse_address("192.0.2.1")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(*parse_address("::")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(*parse_address("255.255.255.255")));
}

TEST(Presets, HoldThePublishedAddresses) {
  ASSERT_EQ(default_prefixes().size(), 4u);
  for (const auto text : default_prefixes()) EXPECT_EQ(why_not(text), "accepted") << text;
  const auto holds = [](const Preset& preset, std::string_view text) {
    const auto address = parse_address(text).value();
    return std::any_of(preset.prefixes.begin(), preset.prefixes.end(),
                       [&](std::string_view one) { return prefix(one).contains(address); });
  };
  ASSERT_EQ(presets().size(), 2u);
  const Preset& intl = presets()[0];
  const Preset& china = presets()[1];
  EXPECT_EQ(intl.name, "cloudmonitor-intl");
  EXPECT_EQ(china.name, "cloudmonitor-china");
  for (const char* in : {"47.74.206.0", "47.74.206.255", "8.222.159.116"}) EXPECT_TRUE(holds(intl, in)) << in;
  for (const char* out : {"47.74.205.255", "47.74.207.0", "121.41.9.246"}) EXPECT_FALSE(holds(intl, out)) << out;
  for (const char* in : {"106.11.225.1", "106.11.226.1", "106.11.227.1", "106.11.242.1", "106.11.167.1", "106.11.245.1",
                         "59.82.255.255", "203.119.128.0", "203.119.255.255", "121.41.9.246"}) {
    EXPECT_TRUE(holds(china, in)) << in;
  }
  EXPECT_FALSE(holds(china, "203.119.127.255"));
}

}  // namespace
}  // namespace alertspool
