#include "main/verb.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace alertspool {
namespace {

namespace fs = std::filesystem;

class Explain : public testing::Test {
protected:
  void SetUp() override {
    write("tokens", "ops sesame-sesame-sesame\n");
    fs::permissions(directory_.path("tokens"), fs::perms::owner_read | fs::perms::owner_write);
  }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.path(name), std::ios::binary) << text;
    return directory_.path(name);
  }

  std::string text(const std::string& body, std::vector<Field> options = {}) {
    Arguments arguments;
    arguments.add("config", write("conf", config_));
    arguments.positional = {write("body", body)};
    for (const auto& [name, value] : options) arguments.add(name, value);
    testing::internal::CaptureStdout();
    EXPECT_EQ(kExplainVerb.run(arguments), kOk);
    return testing::internal::GetCapturedStdout();
  }

  nlohmann::json json(const std::string& body, std::vector<Field> options = {}) {
    options.emplace_back("json", "");
    return nlohmann::json::parse(text(body, options));
  }

  TemporaryDirectory directory_;
  std::string config_ =
      "[action.log]\ntype = syslog\n"
      "[action.page]\ntype = command\nrun = /bin/true\nmatch = severity CRITICAL\n";
};

constexpr const char* kBody =
    "alertName=memory+use&alertState=ALERT&triggerLevel=WARN&ruleId=r1&userId=12"
    "&dimensions=%7BuserId%3D12%2C+instanceId%3Di-1%7D&timestamp=1604919253334&signature=c2VjcmV0";

TEST_F(Explain, SaysEverythingInTheDocumentedObject) {
  const nlohmann::json all = json(kBody);
  std::vector<std::string> names;
  for (const auto& member : all.items()) names.push_back(member.key());
  EXPECT_EQ(names,
            (std::vector<std::string>{"actions", "alarm", "digest", "fields", "flags", "pairs", "reason", "status"}));
  EXPECT_EQ(all["status"], 200);
  EXPECT_EQ(all["reason"], "");
  EXPECT_EQ(all["pairs"][0], (nlohmann::json{"alertName", "memory use"}));
  EXPECT_EQ(all["fields"]["dimensions"], "{userId=12, instanceId=i-1}");
  EXPECT_EQ(all["digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(all["alarm"].get<std::string>().size(), 16U);
  EXPECT_TRUE(all["flags"].empty());
}

TEST_F(Explain, SaysWhichActionsMatchAndWhyNot) {
  const nlohmann::json actions = json(kBody)["actions"];
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0]["name"], "log");
  EXPECT_EQ(actions[0]["matches"], true);
  EXPECT_EQ(actions[0]["why"], "");
  EXPECT_NE(actions[0]["line"].get<std::string>().find("alertName=\"memory use\""), std::string::npos);
  EXPECT_EQ(actions[1]["name"], "page");
  EXPECT_EQ(actions[1]["matches"], false);
  EXPECT_NE(actions[1]["why"].get<std::string>().find("WARN"), std::string::npos);
  EXPECT_EQ(actions[1]["env"]["CMS_ALERT_NAME"], "memory use");
  EXPECT_EQ(actions[1]["env"]["CMS_DIMENSION_INSTANCE_ID"], "i-1");
  EXPECT_EQ(actions[1]["env"]["ALERTSPOOL_ACTION"], "page");
  EXPECT_EQ(actions[1]["env"]["ALERTSPOOL_TIME"], "2020-11-09T10:54:13.334Z");
  EXPECT_FALSE(actions[1]["env"].contains("CMS_SIGNATURE"));
}

TEST_F(Explain, KeepsAFieldThatAppearsTwice) {
  const nlohmann::json all = json("a=1&a=2");
  EXPECT_EQ(all["pairs"], nlohmann::json::parse(R"([["a","1"],["a","2"]])"));
  EXPECT_EQ(all["fields"], (nlohmann::json{{"a", "1"}}));
  EXPECT_EQ(all["flags"], nlohmann::json::parse(R"(["repeated-field"])"));
}

TEST_F(Explain, AnswersAsTheReceiverWould) {
  struct Case {
    const char* body;
    std::vector<Field> options;
    int status;
  };
  const Case cases[] = {{"a=1", {}, 200},
                        {"{\"name\":\"x\"}", {}, 200},
                        {"  \n{\"name\":\"x\"}", {}, 200},
                        {"", {}, 400},
                        {"{broken", {}, 400},
                        {"a=1", {{"type", "text/xml"}}, 415},
                        {"a=1", {{"from", "198.51.100.1"}}, 403},
                        {"a=1", {{"from", "unix:"}}, 403},
                        {"a=1", {{"from", "::ffff:47.74.206.1"}}, 200}};
  for (const Case& c : cases) {
    const nlohmann::json all = json(c.body, c.options);
    EXPECT_EQ(all["status"], c.status) << c.body;
    EXPECT_EQ(all["reason"].get<std::string>().empty(), c.status == 200) << all["reason"];
  }
}

TEST_F(Explain, UndecodableIsTakenByNoAction) {
  const nlohmann::json explained = json("{broken");
  for (const nlohmann::json& action : explained["actions"]) EXPECT_EQ(action["matches"], false);
  EXPECT_NE(text("{broken").find(": does not take it\n  it cannot be decoded\n"), std::string::npos);
}

TEST_F(Explain, DecodesWhatIsRefusedToo) {
  const nlohmann::json all = json("alertName=x", {{"from", "198.51.100.1"}});
  EXPECT_EQ(all["status"], 403);
  EXPECT_NE(all["reason"].get<std::string>().find("allow"), std::string::npos) << all["reason"];
  EXPECT_EQ(all["fields"]["alertName"], "x");
  EXPECT_EQ(all["actions"][0]["matches"], true);
}

TEST_F(Explain, AsksForTheTokenAndNeverShowsIt) {
  config_ = "token-file = " + directory_.path("tokens") + "\n[action.page]\ntype = command\nrun = /bin/true\n";
  EXPECT_EQ(json(kBody)["status"], 403);
  for (const char* url :
       {"token=sesame-sesame-sesame&team=db", "https://example.net/cms?token=sesame-sesame-sesame&team=db"}) {
    const nlohmann::json all = json(kBody, {{"url", url}});
    EXPECT_EQ(all["status"], 200) << url << all["reason"];
    EXPECT_EQ(all["actions"][0]["env"]["ALERTSPOOL_TOKEN"], "ops");
    EXPECT_EQ(all["actions"][0]["env"]["ALERTSPOOL_URL_TEAM"], "db");
    EXPECT_EQ(all.dump().find("sesame"), std::string::npos);
  }
  EXPECT_EQ(json(kBody, {{"url", "token=wrong"}})["status"], 403);
}

TEST_F(Explain, RefusesWhatIsLargerThanABodyMayBe) {
  config_ = "max-body = 1KiB\n" + config_;
  EXPECT_EQ(json("a=" + std::string(1022, 'x'))["status"], 200);
  EXPECT_EQ(json("a=" + std::string(1023, 'x'))["status"], 413);
}

TEST_F(Explain, TellsPeopleTheSame) {
  const std::string out = text(std::string(kBody) + "&evil=%1B%5B2J");
  for (const char* part :
       {"200", "alertName", "memory use", "WARN", "action log: takes it", "action page: does not", "evil", "\\x1b[2J"})
    EXPECT_NE(out.find(part), std::string::npos) << part << '\n' << out;
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
}

TEST_F(Explain, OpensNoSpool) {
  config_ = "store = sqlite:" + directory_.path("none/spool.db") + "\n" + config_;
  EXPECT_EQ(json(kBody)["status"], 200);
  EXPECT_FALSE(fs::exists(directory_.path("none")));
}

}  // namespace
}  // namespace alertspool
