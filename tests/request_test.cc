#include "web/request.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

TEST(Request, KeepsWhatMattersAndIgnoresTheRest) {
  Request request;
  set_parameter(request, "REQUEST_METHOD=POST");
  set_parameter(request, "REMOTE_ADDR=47.74.206.1");
  set_parameter(request, "QUERY_STRING=team=db");
  set_parameter(request, "CONTENT_TYPE=application/json");
  set_parameter(request, "CONTENT_LENGTH=12");
  set_parameter(request, "HTTP_X_FORWARDED_FOR=192.0.2.1");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.remote_addr, "47.74.206.1");
  EXPECT_EQ(request.query_string, "team=db");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.content_length, "12");
  EXPECT_EQ(request.remote_addr_count, 1);
}

TEST(Request, TheFirstOfARepeatedParameterCountsAndRemoteAddrIsCounted) {
  Request request;
  for (const char* entry : {"REMOTE_ADDR=47.74.206.1", "REMOTE_ADDR=192.0.2.1"}) set_parameter(request, entry);
  for (const char* entry : {"CONTENT_LENGTH=10", "CONTENT_LENGTH=20"}) set_parameter(request, entry);
  EXPECT_EQ(request.remote_addr, "47.74.206.1");
  EXPECT_EQ(request.remote_addr_count, 2);
  EXPECT_EQ(request.content_length, "10");
}

TEST(Request, WhatMayBeRememberedIsNoLongerThanSomethingMeant) {
  Request request;
  set_parameter(request, "REMOTE_ADDR=" + std::string(900'000, '1'));
  set_parameter(request, "QUERY_STRING=" + std::string(900'000, 'q'));
  EXPECT_EQ(request.remote_addr.size(), 4096U);
  EXPECT_EQ(request.query_string.size(), 900'000U);
}

TEST(Response, IsWrittenAsCgiSays) {
  EXPECT_EQ((Response{200, "accepted 42", ""}).text(),
            "Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n\r\naccepted 42\n");
  EXPECT_EQ((Response{405, "no", "Allow: POST, GET, HEAD\r\n"}).text(),
            "Status: 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
            "Allow: POST, GET, HEAD\r\n\r\nno\n");
}

}  // namespace
}  // namespace alertspool
