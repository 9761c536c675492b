#include "alert/authorise.h"

#include "alert/decode.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

Access access(std::vector<Token> tokens = {}, std::vector<std::string> user_ids = {}) {
  return {{std::get<Prefix>(parse_prefix("47.74.206.0/26")), std::get<Prefix>(parse_prefix("2001:db8::/32"))},
          std::move(tokens),
          std::move(user_ids)};
}

TEST(Query, GivesTheTokenApartFromTheParameters) {
  const Query query = parse_query("team=db&token=s3%2Bcret&token=other&x=1&team=web");
  EXPECT_EQ(query.parameters, (Fields{{"team", "db"}, {"x", "1"}, {"team", "web"}}));
  EXPECT_EQ(query.secret, "s3+cret");
  EXPECT_TRUE(query.has_token);
  EXPECT_FALSE(parse_query("").has_token);
  EXPECT_FALSE(parse_query("Token=x").has_token);
  EXPECT_TRUE(parse_query("token").has_token);
}

TEST(Authorise, LetsAnAllowedAddressIn) {
  const std::pair<const char*, const char*> cases[] = {
      {"47.74.206.1", "47.74.206.1"}, {"::ffff:47.74.206.63", "47.74.206.63"}, {"2001:DB8::0:1", "2001:db8::1"}};
  for (const auto& [given, canonical] : cases) {
    const Verdict verdict = authorise(access(), given, {});
    EXPECT_EQ(verdict.refusal, Refusal::none) << given;
    EXPECT_EQ(verdict.address, canonical);
    EXPECT_EQ(verdict.reason, "");
  }
}

TEST(Authorise, RefusesAnyOtherAddressAndSaysWhatWouldLetItIn) {
  const Verdict verdict = authorise(access(), "::ffff:192.0.2.1", {});
  EXPECT_EQ(verdict.refusal, Refusal::address);
  EXPECT_EQ(verdict.address, "192.0.2.1");
  EXPECT_EQ(verdict.reason, "address 192.0.2.1 is in no allow prefix; allow = 192.0.2.1 would let it in");
  EXPECT_EQ(authorise(access(), "47.74.206.64", {}).refusal, Refusal::address);
}

TEST(Authorise, RefusesWhatIsNoAddress) {
  for (const char* bad : {"", "unix:", "47.74.206.1:80", "047.74.206.1", "47.74.206.1%eth0"}) {
    const Verdict verdict = authorise(access(), bad, {});
    EXPECT_EQ(verdict.refusal, Refusal::address) << bad;
    EXPECT_EQ(verdict.address, bad);
  }
}

TEST(Authorise, RefusesEveryAddressWhenNoneIsAllowed) {
  EXPECT_EQ(authorise({}, "47.74.206.1", {}).refusal, Refusal::address);
}

TEST(Authorise, NamesTheTokenThatWasGiven) {
  const Access two = access({{"db", "secret-1"}, {"web", "secret-2"}});
  EXPECT_EQ(authorise(two, "47.74.206.1", parse_query("token=secret-1")).token, "db");
  EXPECT_EQ(authorise(two, "47.74.206.1", parse_query("a=b&token=secret-2")).token, "web");
  EXPECT_EQ(authorise_token(two, parse_query("token=secret-2")).refusal, Refusal::none);
}

TEST(Authorise, RefusesAWrongOrMissingTokenWithoutRepeatingIt) {
  const Access one = access({{"db", "secret-1"}});
  for (const char* query : {"token=secret-2", "token=secret-1x", "token=secret", "token=SECRET-1", "token=", "token",
                            "token=secret-2&token=secret-1", "other=secret-1", ""}) {
    for (const Verdict& verdict :
         {authorise(one, "47.74.206.1", parse_query(query)), authorise_token(one, parse_query(query))}) {
      EXPECT_EQ(verdict.refusal, Refusal::token) << query;
      EXPECT_EQ(verdict.token, "") << query;
      EXPECT_EQ(verdict.reason.find("ecret-"), std::string::npos) << verdict.reason;
      EXPECT_NE(verdict.reason.find("token-file"), std::string::npos) << verdict.reason;
    }
  }
}

TEST(Authorise, NeverTakesAnEmptySecret) {
  EXPECT_EQ(authorise_token(access({{"db", ""}}), parse_query("token=")).refusal, Refusal::token);
  EXPECT_EQ(authorise_token(access({{"db", ""}}), parse_query("")).refusal, Refusal::token);
}

TEST(Authorise, AsksForNoTokenWhenNoneIsConfigured) {
  const Verdict verdict = authorise(access(), "47.74.206.1", parse_query("token=anything"));
  EXPECT_EQ(verdict.refusal, Refusal::none);
  EXPECT_EQ(verdict.token, "");
}

TEST(Authorise, LooksAtTheAddressFirst) {
  EXPECT_EQ(authorise(access({{"db", "s"}}), "192.0.2.1", parse_query("token=wrong")).refusal, Refusal::address);
}

TEST(Authorise, RefusesAUrlWithMoreParametersThanFieldsAreTaken) {
  std::string long_query = "token=s";
  for (std::size_t i = 0; i < kMaxFields; ++i) long_query += "&a=b";
  const Query query = parse_query(long_query);
  EXPECT_TRUE(query.too_long);
  EXPECT_EQ(authorise(access(), "47.74.206.1", query).refusal, Refusal::token);
  EXPECT_EQ(authorise(access({{"db", "s"}}), "47.74.206.1", query).reason,
            "more than 256 parameters in the callback URL");
}

TEST(Authorise, TakesListedAccountsOnly) {
  const Access listed = access({}, {"12", "34"});
  EXPECT_EQ(authorise_account(listed, {{"userId", "34"}}).refusal, Refusal::none);
  EXPECT_EQ(authorise_account(access(), {}).refusal, Refusal::none);
  const Verdict foreign = authorise_account(listed, {{"userId", "56"}, {"userId", "12"}});
  EXPECT_EQ(foreign.refusal, Refusal::account);
  EXPECT_EQ(foreign.reason, "account 56 is not listed; user-id = 56 would let it in");
  for (const Fields& none : {Fields{}, Fields{{"userId", "null"}}, Fields{{"userId", ""}}}) {
    EXPECT_EQ(authorise_account(listed, none).refusal, Refusal::account);
  }
}

TEST(Refusals, HaveTheNamesTheyAreCountedUnder) {
  EXPECT_STREQ(name_of(Refusal::none), "none");
  EXPECT_STREQ(name_of(Refusal::address), "address");
  EXPECT_STREQ(name_of(Refusal::token), "token");
  EXPECT_STREQ(name_of(Refusal::account), "account");
}

}  // namespace
}  // namespace alertspool
