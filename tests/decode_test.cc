#include "alert/decode.h"

#include "shared_data.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace alertspool {
namespace {

using namespace std::string_literals;

Fields form(std::string_view body) {
  return std::get<Decoded>(decode_form(body)).pairs;
}
Fields json(std::string_view body) {
  return std::get<Decoded>(decode_json(body)).pairs;
}

/// `400 reason`, or `decoded`.
std::string verdict(const DecodeResult& result) {
  const auto* why = std::get_if<Undecodable>(&result);
  return why ? std::to_string(why->status) + " " + why->reason : "decoded";
}

TEST(DecodeForm, FollowsTheUrlStandard) {
  const std::pair<std::string, Fields> cases[] = {
      {"", {}},
      {"&&&", {}},
      {"=", {{"", ""}}},
      {"==", {{"", "="}}},
      {"a", {{"a", ""}}},
      {"a=", {{"a", ""}}},
      {"=b", {{"", "b"}}},
      {"a=b", {{"a", "b"}}},
      {"&a=1&&b=2&", {{"a", "1"}, {"b", "2"}}},
      {"expression=$Average>=95", {{"expression", "$Average>=95"}}},
      {"a+b=c+d", {{"a b", "c d"}}},
      {"a%2Bb=c%2bd", {{"a+b", "c+d"}}},
      {"a=%26&b%3D=%3d", {{"a", "&"}, {"b=", "="}}},
      {"a=%", {{"a", "%"}}},
      {"a=%4", {{"a", "%4"}}},
      {"a=%zz%4g%41", {{"a", "%zz%4gA"}}},
      {"a=%%41", {{"a", "%A"}}},
      {"a=%2541", {{"a", "%41"}}},
      {"a=1;b=2", {{"a", "1;b=2"}}},
      {"a=%00b", {{"a", "\0b"s}}},
      {"a=%EF%BB%BFb", {{"a", "\uFEFFb"}}},
      {"a=x\r\n", {{"a", "x\r\n"}}},
      {"unit=%E4%B8%AA", {{"unit", "个"}}},
      {"unit=个", {{"unit", "个"}}},
  };
  for (const auto& [body, expected] : cases) EXPECT_EQ(form(body), expected) << body;
}

TEST(DecodeForm, AgreesWithGoExceptThatASemicolonIsData) {
  READ_SHARED_OR_SKIP(text, "data/vectors/urlencoded_go_parsequery.json");
  const auto vectors = nlohmann::json::parse(text);
  ASSERT_EQ(vectors["cases"].size(), 17u);
  for (const auto& one : vectors["cases"]) {
    const std::string input = one["input"];
    nlohmann::json decoded = nlohmann::json::object();
    for (const auto& [name, value] : form(input)) decoded[name].push_back(value);
    if (one["go_ok"]) {
      EXPECT_EQ(decoded, one["go_output"]) << input;
    } else {
      std::string again;
      for (const auto& [name, value] : form(input)) again += name + value;
      EXPECT_NE(again.find(';'), again.npos) << input;
    }
  }
}

TEST(DecodeForm, KeepsAFieldThatAppearsTwice) {
  EXPECT_EQ(form("a=1&b=2&a=3"), (Fields{{"a", "1"}, {"b", "2"}, {"a", "3"}}));
}

TEST(DecodeForm, RepairsWhatIsNoUtf8AndSaysSo) {
  const auto decoded = std::get<Decoded>(decode_form("a%FF=x&b=%E4%B8&c=d"));
  EXPECT_EQ(decoded.pairs, (Fields{{"a\uFFFD", "x"}, {"b", "\uFFFD"}, {"c", "d"}}));
  EXPECT_TRUE(decoded.repaired_utf8);
  EXPECT_FALSE(std::get<Decoded>(decode_form("a=%EF%BF%BD")).repaired_utf8);
}

TEST(DecodeForm, RefusesTheFieldBeyondTheLimit) {
  std::string body = "a=1";
  for (std::size_t i = 1; i < kMaxFields; ++i) body += "&&a=1";
  EXPECT_EQ(verdict(decode_form(body + "&")), "decoded");
  EXPECT_EQ(verdict(decode_form(body + "&b")), "413 more than 256 fields");
}

TEST(DecodeJson, TurnsEveryValueIntoText) {
  const std::pair<std::string, Fields> cases[] = {
      {R"({})", {}},
      {R"({"a":"b"})", {{"a", "b"}}},
      {R"( { "b" : 1 , "a" : -2 } )", {{"b", "1"}, {"a", "-2"}}},
      {R"({"a":97.390,"b":1e2,"c":18446744073709551615,"d":123456789012345678901234567890})",
       {{"a", "97.390"}, {"b", "1e2"}, {"c", "18446744073709551615"}, {"d", "123456789012345678901234567890"}}},
      {R"({"a":true,"b":false,"c":null})", {{"a", "true"}, {"b", "false"}, {"c", "null"}}},
      {R"({"a":[],"b":{},"c":[[]],"d":{"x":{}}})", {{"a", "[]"}, {"b", "{}"}, {"c", "[[]]"}, {"d", R"({"x":{}})"}}},
      {R"({"a": [1, "two", null, [3.0, 4], {"x": "y"}], "b": 1})",
       {{"a", R"([1,"two",null,[3.0,4],{"x":"y"}])"}, {"b", "1"}}},
      {R"({"a": {"z": 1, "y": {"x": "[,{"}, "w": "\"\n"}})", {{"a", R"({"z":1,"y":{"x":"[,{"},"w":"\"\n"})"}}},
      {R"({"a":"\u5185\u0000\ud83d\ude00\/"})", {{"a", "内\0😀/"s}}},
      {R"({"a":1,"a":2})", {{"a", "1"}, {"a", "2"}}},
      {R"({"a":{"x":1,"x":2}})", {{"a", R"({"x":1,"x":2})"}}},
      {"\xEF\xBB\xBF{\"a\":1}", {{"a", "1"}}},
  };
  for (const auto& [body, expected] : cases) EXPECT_EQ(json(body), expected) << body;
}

TEST(DecodeJson, RepairsWhatIsNoUtf8AndSaysSo) {
  const auto decoded = std::get<Decoded>(decode_json("{\"a\":\"\xFF\"}"));
  EXPECT_EQ(decoded.pairs, (Fields{{"a", "\uFFFD"}}));
  EXPECT_TRUE(decoded.repaired_utf8);
}

TEST(DecodeJson, RefusesWhatIsNoObject) {
  for (const char* body : {"[]", "[{\"a\":1}]", "\"a\"", "1", "1.5", "null", "true"}) {
    EXPECT_EQ(verdict(decode_json(body)), "400 JSON, but no object") << body;
  }
  const std::pair<std::string, std::string> broken[] = {{"{", "400 broken JSON at byte 2"},
                                                        {R"({"a":1}x)", "400 broken JSON at byte 8"},
                                                        {R"({"a":1,})", "400 broken JSON at byte 8"},
                                                        {R"({'a':1})", "400 broken JSON at byte 2"},
                                                        {"{\"a\":\"\n\"}", "400 broken JSON at byte 7"}};
  for (const auto& [body, expected] : broken) EXPECT_EQ(verdict(decode_json(body)), expected) << body;
}

TEST(DecodeJson, SurvivesAnyDepth) {
  const std::string deep = std::string(30'000, '[') + std::string(30'000, ']');
  EXPECT_EQ(json("{\"a\":" + deep + "}"), (Fields{{"a", deep}}));
  EXPECT_EQ(verdict(decode_json("{\"a\":" + std::string(60'000, '['))), "400 broken JSON at byte 60006");
}

TEST(DecodeJson, RefusesTheFieldBeyondTheLimit) {
  EXPECT_EQ(verdict(decode_json(R"({"a":{"x":1,"y":2,"z":3},"b":2})", 2)), "decoded");
  EXPECT_EQ(verdict(decode_json(R"({"a":1,"b":2,"c":3})", 2)), "413 more than 2 fields");
}

TEST(Decode, ChoosesByContentType) {
  const std::string form_body = "a=1", json_body = R"({"a":1})";
  for (const char* type :
       {"", " ", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded ;charset=UTF-8"}) {
    EXPECT_EQ(std::get<Decoded>(decode(type, form_body)).pairs, (Fields{{"a", "1"}})) << type;
  }
  for (const char* type : {"application/json", "APPLICATION/JSON;charset=utf-8"}) {
    EXPECT_EQ(std::get<Decoded>(decode(type, json_body)).pairs, (Fields{{"a", "1"}})) << type;
  }
  for (const char* type :
       {"text/plain", "multipart/form-data; boundary=x", "application/jsonx", "application", "*/*"}) {
    EXPECT_EQ(verdict(decode(type, form_body)).substr(0, 4), "415 ") << type;
  }
}

TEST(Decode, RefusesABodyWithoutAnyField) {
  EXPECT_EQ(verdict(decode("", "")), "400 empty body");
  EXPECT_EQ(verdict(decode("application/json", "")), "400 empty body");
  EXPECT_EQ(verdict(decode("", "&&")), "400 no field in the body");
  EXPECT_EQ(verdict(decode("application/json", "{}")), "400 no field in the body");
}

TEST(Decode, ReadsACapturedCallback) {
  READ_SHARED_OR_SKIP(body, "data/callbacks/2023-06-apigateway-ok.form");
  const auto decoded = std::get<Decoded>(decode("application/x-www-form-urlencoded; charset=UTF-8", body));
  EXPECT_EQ(decoded.pairs.size(), 23u);
  EXPECT_FALSE(decoded.repaired_utf8);
  const std::pair<const char*, const char*> expected[] = {{"lastTime", "2分钟"},
                                                          {"expression", "$Value >= 5"},
                                                          {"instanceName", ""},
                                                          {"unit", "个"},
                                                          {"alertName", "API网关_返回码4XX个数"},
                                                          {"signature", "W/aqYaxuLrhbbyjoUw3r5wUEKss="},
                                                          {"timestamp", "1685614196421"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(value_of(decoded.pairs, name), value);
  EXPECT_EQ(*find(decoded.pairs, "instanceName"), "null");
}

TEST(Decode, ReadsTheVendorsSampleAlthoughItIsNotEncoded) {
  READ_SHARED_OR_SKIP(body, "data/callbacks/vendor-sample-2024.form");
  const auto fields = std::get<Decoded>(decode("", body)).pairs;
  EXPECT_EQ(value_of(fields, "expression"), "$Average>=95");
  EXPECT_EQ(value_of(fields, "alertName"), "Basic monitoring-ECS-Memory usage");
  EXPECT_EQ(value_of(fields, "regionName"), "China (Hangzhou)");
  EXPECT_EQ(value_of(fields, "unit").substr(0, 1), "%");
}

TEST(Decode, ReadsTheVendorsEvent) {
  READ_SHARED_OR_SKIP(body, "data/callbacks/vendor-sample-event.json");
  const auto fields = std::get<Decoded>(decode("application/json", body)).pairs;
  EXPECT_EQ(fields.front().first, "traceId");
  EXPECT_EQ(value_of(fields, "name"), "Snapshot:CreateSnapshotCompleted");
  EXPECT_EQ(value_of(fields, "content").substr(0, 40), R"({"result":"accomplished","snapshotId":"s)");
}

TEST(Dimensions, AreReadInEveryFormThatWasSeen) {
  const std::pair<std::string, Fields> cases[] = {
      {"{userId=12, instanceId=i-1}", {{"userId", "12"}, {"instanceId", "i-1"}}},
      {"{userId=9, device=/dev/vda1, instanceId=i-1}",
       {{"userId", "9"}, {"device", "/dev/vda1"}, {"instanceId", "i-1"}}},
      {"{port=10080}", {{"port", "10080"}}},
      {"{userId=12****), instanceId=i-12****}", {{"userId", "12****)"}, {"instanceId", "i-12****"}}},
      {"{url=http://a/?x=1,y=2, b=}", {{"url", "http://a/?x=1,y=2"}, {"b", ""}}},
      {"{name=Smith, John, id=1}", {{"name", "Smith, John"}, {"id", "1"}}},
      {" {a=1}\n", {{"a", "1"}}},
      {R"({"userId":"12","instanceId":"i-1","port":80})", {{"userId", "12"}, {"instanceId", "i-1"}, {"port", "80"}}},
      {R"({ "userId" : "12" })", {{"userId", "12"}}},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(decode_dimensions(text), expected) << text;
}

TEST(Dimensions, AreEmptyWhenTheyAreNeitherForm) {
  for (const char* text : {"", "null", "{}", "{", "}", "{a}", "{a, b=1}", "{=1}", "a=1", "{\"a\":1", "{\"a\"}",
                           "[{\"a\":1}]", "{a=1} x"}) {
    EXPECT_EQ(decode_dimensions(text), Fields{}) << text;
  }
}

}  // namespace
}  // namespace alertspool
