#include "web/receive.h"

#include "alert/alert.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

const WallTime kNow{milliseconds(1'606'000'000'123)};
const char kAlert[] =
    "alertName=cpu&alertState=ALERT&triggerLevel=WARN&userId=12&ruleId=r1&dimensions=%7Ba%3Db%7D&timestamp="
    "1604919253334";

Route route(const std::string& action, const std::string& match, bool follow = true) {
  Route made{action, {}, follow};
  if (!match.empty()) made.matches.push_back(std::get<Match>(parse_match(match)));
  return made;
}

ReceiverSettings settings(std::vector<Token> tokens = {}, std::vector<std::string> user_ids = {}) {
  ReceiverSettings made;
  made.access = {{std::get<Prefix>(parse_prefix("47.74.206.0/26"))}, std::move(tokens), std::move(user_ids)};
  made.max_body = 2048;
  made.routes = {route("log", "")};
  return made;
}

Request post(const std::string& body = kAlert, const std::string& query = "") {
  Request request;
  request.method = "POST";
  request.remote_addr = "47.74.206.1";
  request.remote_addr_count = 1;
  request.query_string = query;
  request.content_type = "application/x-www-form-urlencoded; charset=UTF-8";
  request.content_length = std::to_string(body.size());
  request.body = body;
  return request;
}

Request get(const std::string& query, const std::string& method = "GET") {
  Request request;
  request.method = method;
  request.remote_addr = "121.41.9.246";
  request.remote_addr_count = 1;
  request.query_string = query;
  return request;
}

/// As the loop does it: the body only when the head is no answer.
Decision decide(const ReceiverSettings& settings, const Request& request) {
  const Decision decision = receive_head(settings, request);
  return decision.kind == Decision::Kind::read ? receive(settings, decision, request, kNow) : decision;
}

const std::vector<Token> kTokens{{"ops", "s3cret"}};

TEST(Receive, RefusesByTheHead) {
  struct Case {
    const char* what;
    Request request;
    int status;
    const char* reason;
    bool allowed;
  };
  std::vector<Case> cases;
  const auto add = [&](const char* what, int status, const char* reason, bool allowed, auto change) {
    Request request = post(kAlert, "token=s3cret");
    change(request);
    cases.push_back({what, request, status, reason, allowed});
  };
  add("other address", 403, "address", false, [](Request& r) { r.remote_addr = "192.0.2.1"; });
  add("empty address", 403, "address", false, [](Request& r) { r.remote_addr = ""; });
  add("unix socket", 403, "address", false, [](Request& r) { r.remote_addr = "unix:"; });
  add("two addresses", 403, "address", false, [](Request& r) { r.remote_addr_count = 2; });
  add("no address", 403, "address", false, [](Request& r) { r.remote_addr_count = 0; });
  add("wrong token", 403, "token", true, [](Request& r) { r.query_string = "token=guess"; });
  add("no token", 403, "token", true, [](Request& r) { r.query_string = ""; });
  add("other method", 405, "method", false, [](Request& r) { r.method = "PUT"; });
  add("no method", 405, "method", false, [](Request& r) { r.method = ""; });
  add("no length", 411, "length", true, [](Request& r) { r.content_length.clear(); });
  add("empty length", 411, "length", true, [](Request& r) { r.content_length = ""; });
  add("bad length", 400, "length", true, [](Request& r) { r.content_length = "+3"; });
  add("too large", 413, "too-large", true, [](Request& r) { r.content_length = "2049"; });
  add("long query", 413, "too-large", true, [](Request& r) { r.query_string += "&a=" + std::string(3000, 'x'); });
  for (const Case& c : cases) {
    const Decision decision = receive_head(settings(kTokens), c.request);
    EXPECT_EQ(decision.kind, Decision::Kind::answer) << c.what;
    EXPECT_EQ(decision.response.status, c.status) << c.what;
    ASSERT_TRUE(decision.refused.has_value()) << c.what;
    EXPECT_EQ(decision.refused->reason, c.reason) << c.what;
    EXPECT_EQ(decision.refused->allowed_address, c.allowed) << c.what;
    EXPECT_FALSE(decision.incoming.has_value()) << c.what;
  }
}

TEST(Receive, TakesOnlyPlainDecimalNumbersAsContentLength) {
  const struct {
    const char* text;
    int status;  ///< 200: read on
    std::size_t length;
  } cases[] = {
      {"", 411, 0},
      {"0", 200, 0},
      {"757", 200, 757},
      {"2048", 200, 2048},
      {"2049", 413, 0},
      {"9223372036854775808", 413, 0},
      {"1000000000000000000000000000000", 400, 0},
      {"-1", 400, 0},
      {"+3", 400, 0},
      {" 3", 400, 0},
      {"3 ", 400, 0},
      {"0x10", 400, 0},
      {"3,3", 400, 0},
      {"three", 400, 0},
  };
  for (const auto& c : cases) {
    Request request = post();
    request.content_length = c.text;
    const Decision decision = receive_head(settings(), request);
    EXPECT_EQ(decision.kind == Decision::Kind::read, c.status == 200) << "'" << c.text << "'";
    EXPECT_EQ(decision.response.status, c.status) << "'" << c.text << "'";
    EXPECT_EQ(decision.length, c.length) << "'" << c.text << "'";
  }
}

TEST(Receive, SaysNoMoreThanForbiddenWhateverWasWrong) {
  Request stranger = post(kAlert, "token=s3cret");
  stranger.remote_addr = "192.0.2.1";
  EXPECT_EQ(decide(settings(kTokens), stranger).response.text(),
            decide(settings(kTokens), post(kAlert, "token=guess")).response.text());
}

TEST(Receive, NamesTheAllowedMethods) {
  EXPECT_EQ(decide(settings(), get("", "DELETE")).response.headers, "Allow: POST, GET, HEAD\r\n");
}

TEST(Receive, AProbeMayComeFromAnywhereWithNothingButTheToken) {
  for (const char* method : {"GET", "HEAD"}) {
    EXPECT_EQ(decide(settings(), get("", method)).kind, Decision::Kind::probe);
    EXPECT_EQ(decide(settings(kTokens), get("", method)).kind, Decision::Kind::probe);
    EXPECT_EQ(decide(settings(kTokens), get("token=s3cret", method)).kind, Decision::Kind::probe);
    EXPECT_EQ(decide(settings(kTokens), get("token=guess", method)).response.status, 403);
    EXPECT_EQ(decide(settings(kTokens), get("token=s3cret&team=db", method)).response.status, 405);
  }
}

TEST(Receive, AProbeWithTooManyParametersIsNoProbe) {
  std::string query = "a=1";
  for (int i = 0; i < 300; ++i) query += "&a=1";
  EXPECT_EQ(decide(settings(), get(query)).response.status, 405);
}

TEST(Receive, AWrongTokenInAProbeHurtsOnlyFromAnAllowedAddress) {
  Request probe = get("token=guess");
  EXPECT_FALSE(decide(settings(kTokens), probe).refused->allowed_address);
  probe.remote_addr = "47.74.206.1";
  EXPECT_TRUE(decide(settings(kTokens), probe).refused->allowed_address);
}

TEST(Receive, KeepsTheCallbackAsItCameButForTheToken) {
  const Decision decision = decide(settings(kTokens), post(kAlert, "team=db%20a&token=s3cret&to%6ben=other&x"));
  ASSERT_EQ(decision.kind, Decision::Kind::store);
  const Callback& callback = decision.incoming->callback;
  EXPECT_EQ(callback.received, kNow);
  EXPECT_EQ(callback.remote_addr, "47.74.206.1");
  EXPECT_EQ(callback.token, "ops");
  EXPECT_EQ(callback.query, "team=db%20a&x");
  EXPECT_EQ(callback.content_type, "application/x-www-form-urlencoded; charset=UTF-8");
  EXPECT_EQ(callback.body, kAlert);
  EXPECT_FALSE(callback.test);
}

TEST(Receive, DerivesWhatTheStoreAndTheLogWant) {
  const Decision decision = decide(settings(), post());
  EXPECT_EQ(decision.incoming->severity, "WARN");
  EXPECT_EQ(decision.incoming->digest.size(), 64U);
  EXPECT_EQ(decision.incoming->sent, 1'604'919'253'334);
  EXPECT_EQ(decision.incoming->alarm.size(), 16U);
  EXPECT_EQ(decision.incoming->undecodable, "");
  EXPECT_EQ(decision.address, "47.74.206.1");
  EXPECT_EQ(decision.account, "12");
  EXPECT_EQ(decision.alarm, decision.incoming->alarm);
  EXPECT_FALSE(decision.refused.has_value());
}

TEST(Receive, UnmapsAnAddressBeforeItIsKept) {
  Request request = post();
  request.remote_addr = "::ffff:47.74.206.1";
  EXPECT_EQ(decide(settings(), request).incoming->callback.remote_addr, "47.74.206.1");
}

TEST(Receive, OnlyAlertFiresAndOnlyOkClears) {
  const struct {
    const char* state;
    AlarmChange change;
  } cases[] = {{"ALERT", AlarmChange::fires},
               {"OK", AlarmChange::clears},
               {"INSUFFICIENT_DATA", AlarmChange::none},
               {"SOMETHING_NEW", AlarmChange::none}};
  for (const auto& c : cases)
    EXPECT_EQ(decide(settings(), post(std::string("alertName=x&alertState=") + c.state)).incoming->change, c.change);
}

TEST(Receive, ChoosesActionsFollowersAndFollowing) {
  ReceiverSettings with = settings();
  with.routes = {route("log", "", false), route("page", "severity WARN"), route("crit", "severity CRITICAL"),
                 route("once", "severity CRITICAL", false)};
  const Decision decision = decide(with, post());
  EXPECT_EQ(decision.incoming->actions, (std::vector<std::string>{"log", "page"}));
  EXPECT_EQ(decision.incoming->following, std::vector<std::string>{"page"});
  EXPECT_EQ(decision.incoming->followers, std::vector<std::string>{"crit"});
}

TEST(Receive, RefusesAForeignAccount) {
  const Decision decision = decide(settings({}, {"99"}), post());
  EXPECT_EQ(decision.kind, Decision::Kind::answer);
  EXPECT_EQ(decision.response.status, 403);
  EXPECT_EQ(decision.response.body, "forbidden");
  EXPECT_EQ(decision.refused->reason, "account");
  EXPECT_EQ(decision.refused->address, "47.74.206.1");
  EXPECT_TRUE(decision.refused->allowed_address);
  EXPECT_EQ(decide(settings({}, {"99", "12"}), post()).kind, Decision::Kind::store);
}

TEST(Receive, NeverStoresABodyThatIsNotWhole) {
  Request request = post();
  request.whole = false;
  const Decision decision = decide(settings(), request);
  EXPECT_EQ(decision.kind, Decision::Kind::answer);
  EXPECT_EQ(decision.response.status, 400);
  EXPECT_EQ(decision.response.body.substr(0, 13), "bad request: ");
  EXPECT_EQ(decision.refused->reason, "body");
}

TEST(Receive, KeepsABodyThatCannotBeDecodedAndAnswersWhy) {
  std::string fields = "a=1";
  for (int i = 0; i < 256; ++i) fields += "&a=1";
  const struct {
    const char* type;
    std::string body;
    int status;
  } cases[] = {{"application/json", "{\"a\":", 400},
               {"application/x-www-form-urlencoded", "", 400},
               {"application/x-www-form-urlencoded", fields, 413},
               {"text/xml", "<alert/>", 415}};
  for (const auto& c : cases) {
    Request request = post(c.body);
    request.content_type = c.type;
    const Decision decision = decide(settings(), request);
    ASSERT_EQ(decision.kind, Decision::Kind::store) << c.type;
    EXPECT_EQ(decision.response.status, c.status) << c.type;
    EXPECT_EQ(decision.response.body.starts_with("bad request: "), c.status == 400) << decision.response.body;
    EXPECT_EQ(decision.refused->reason, "undecodable");
    EXPECT_TRUE(decision.refused->allowed_address);
    EXPECT_FALSE(decision.incoming->undecodable.empty());
    EXPECT_EQ(decision.incoming->digest, sha256_hex(c.body));
    EXPECT_EQ(decision.incoming->alarm, "");
    EXPECT_TRUE(decision.incoming->actions.empty());
    EXPECT_EQ(answer_stored(decision, Put{7, false}).status, c.status) << "only after it is stored";
    EXPECT_EQ(answer_stored(decision, NotStored{"full"}).status, 503) << "so that the sender tries again";
  }
}

TEST(Receive, AnswersAsTheTableSays) {
  const Decision decision = decide(settings(), post());
  EXPECT_EQ(answer_stored(decision, Put{42, false}).body, "accepted 42");
  EXPECT_EQ(answer_stored(decision, Put{42, true}).body, "duplicate 42");
  EXPECT_EQ(answer_stored(decision, Put{42, true}).status, 200);
  EXPECT_EQ(answer_stored(decision, NotStored{"disk full on /var"}).status, 503);
  EXPECT_EQ(answer_stored(decision, NotStored{"disk full on /var"}).headers.substr(0, 13), "Retry-After: ");
  EXPECT_EQ(answer_stored(decision, NotStored{"disk full on /var"}).body.find("/var"), std::string::npos);
  EXPECT_EQ(answer_probe(true).body, "ready");
  EXPECT_EQ(answer_probe(true).status, 200);
  EXPECT_EQ(answer_probe(false).status, 503);
}

}  // namespace
}  // namespace alertspool
