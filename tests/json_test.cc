#include "alert/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace alertspool {
namespace {

// RFC 8259, section 7.
TEST(Json, EscapesWhatAStringMustNotHold) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", R"("")"},
      {"plain text, / and \x7F", "\"plain text, / and \x7F\""},
      {R"(a"b)", R"("a\"b")"},
      {R"(a\b)", R"("a\\b")"},
      {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {std::string("\0\x01\x1B\x1F", 4), R"("\u0000\u0001\u001b\u001f")"},
      {"\u5185\u5B58 \u00E9 \U0001F600", "\"\u5185\u5B58 \u00E9 \U0001F600\""},
      {"</script>", "\"</script>\""},
      {"\xFF", "\"\uFFFD\""},
      {"a\xE5\x86z", "\"a\uFFFDz\""},
      {"\xC0\xAF", "\"\uFFFD\uFFFD\""},
      {"\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
  };
  for (const auto& [text, json] : cases) EXPECT_EQ(json_string(text), json);
}

TEST(Json, GivesEveryByteBackThroughAnotherReader) {
  std::string ascii;
  for (char c = 0; c < 0x7F; ++c) ascii += c;
  ascii += '\x7F';
  EXPECT_EQ(nlohmann::json::parse(json_string(ascii)).get<std::string>(), ascii);
  for (int lead = 0x80; lead < 0x100; ++lead) {
    const std::string text = {'a', static_cast<char>(lead), '"'};
    EXPECT_EQ(nlohmann::json::parse(json_string(text)).get<std::string>(), "a\uFFFD\"") << lead;
  }
}

TEST(Json, WritesObjectsAndArrays) {
  EXPECT_EQ(json_object({}), "{}");
  EXPECT_EQ(json_object({{"a", "1"}, {"b\"c", "[]"}, {"", "null"}}), R"({"a":1,"b\"c":[],"":null})");
  EXPECT_EQ(json_array({}), "[]");
  EXPECT_EQ(json_array({"1", "\"a\"", "{}"}), R"([1,"a",{}])");
  EXPECT_EQ(json_array({"[", "{"}), "[[,{]") << "values are passed on as they are";
}

TEST(Json, WritesFieldsInTheirOrder) {
  EXPECT_EQ(json_fields({}), "{}");
  EXPECT_EQ(json_fields({{"b", "1"}, {"a", "\""}}), R"({"b":"1","a":"\""})");
}

AlertView sample() {
  AlertView view;
  view.stored = {42, "2026-11-23T16:06:56.123Z", false};
  view.state = "pending";
  view.duplicates = 1;
  view.alert.origin = {"192.0.2.1", "main", {{"team", "db"}}};
  view.alert.fields = {{"alertName", "memory use"}, {"signature", "c2VjcmV0"}, {"unit", "null"}};
  view.alert.alarm = "0123456789abcdef";
  view.alert.severity = "WARN";
  view.deliveries = {{"log", "delivered", 1, "", "written", ""},
                     {"page", "pending", 2, "2026-11-23T16:07:06.123Z", "exit 75", "busy\n"}};
  return view;
}

TEST(Json, ShowsAnAlertWithTheMembersInTheirOrder) {
  EXPECT_EQ(to_json(sample()),
            R"({"id":42,"received":"2026-11-23T16:06:56.123Z","remote_addr":"192.0.2.1","state":"pending",)"
            R"("alarm":"0123456789abcdef","severity":"WARN","test":false,"token":"main","duplicates":1,)"
            R"("fields":{"alertName":"memory use","signature":"***","unit":"null"},)"
            R"("deliveries":[{"action":"log","state":"delivered","attempts":1,"due":"","last":"written","output":""},)"
            R"({"action":"page","state":"pending","attempts":2,"due":"2026-11-23T16:07:06.123Z","last":"exit 75",)"
            R"("output":"busy\n"}]})");
}

TEST(Json, PutsExtraMembersBehind) {
  AlertView view;
  view.stored.test = true;
  const auto json = to_json(view, {{"action", json_string("page")}, {"attempt", "3"}});
  EXPECT_EQ(json,
            R"({"id":0,"received":"","remote_addr":"","state":"","alarm":"","severity":"","test":true,"token":"",)"
            R"("duplicates":0,"fields":{},"deliveries":[],"action":"page","attempt":3})");
}

TEST(Json, IsOneLineOfValidJsonWhateverTheSenderSays) {
  auto view = sample();
  view.alert.fields = {{"a\nb\"", "x\r\n\"},{\\"}, {"\xFF", std::string("\0", 1)}, {"", "\u2028"}};
  view.deliveries[0].output = "\x80\n\x1B[31m\"";
  const auto json = to_json(view);
  EXPECT_EQ(json.find_first_of("\r\n"), std::string::npos);
  const auto parsed = nlohmann::json::parse(json);
  EXPECT_EQ(parsed["fields"]["a\nb\""], "x\r\n\"},{\\");
  EXPECT_EQ(parsed["fields"]["\uFFFD"], std::string("\0", 1));
  EXPECT_EQ(parsed["deliveries"][0]["output"], "\uFFFD\n\x1B[31m\"");
}

}  // namespace
}  // namespace alertspool
