#include "store/url.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

TEST(Url, ShowsNoPassword) {
  EXPECT_EQ(public_url("sqlite:/a/b.db"), "sqlite:/a/b.db");
  EXPECT_EQ(public_url("postgresql:///db"), "postgresql:///db");
  EXPECT_EQ(public_url("postgresql://u@h:5432/db?a=b"), "postgresql://u@h:5432/db?a=b");
  EXPECT_EQ(public_url("postgres://u:secret@h1:1,h2:2/db"), "postgres://u:***@h1:1,h2:2/db");
  EXPECT_EQ(public_url("postgresql://h/d?password=secret&a=b&sslpassword=secret"),
            "postgresql://h/d?password=***&a=b&sslpassword=***");
  EXPECT_EQ(public_url("postgresql://u:secret@h"), "postgresql://u:***@h");
}

TEST(Url, ParametersOfTheUserComeAfterOurs) {
  for (const char* url : {"postgresql://h/d", "postgresql://h/d?"})
    EXPECT_TRUE(server_url(url).starts_with("postgresql://h/d?application_name=alertspool&")) << url;
  const std::string url = server_url("postgresql://h/d?connect_timeout=9");
  EXPECT_LT(url.find("connect_timeout=2"), url.find("connect_timeout=9"));
}

}  // namespace
}  // namespace alertspool
