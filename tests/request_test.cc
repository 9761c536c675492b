#include "web/request.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

using Kind = ContentLength::Kind;

TEST(Request, TakesOnlyPlainDecimalNumbersAsContentLength) {
  const struct {
    const char* text;
    Kind kind;
    std::size_t bytes;
  } cases[] = {
      {"", Kind::missing, 0},
      {"0", Kind::ok, 0},
      {"757", Kind::ok, 757},
      {"1024", Kind::ok, 1024},
      {"1025", Kind::too_large, 0},
      {"9223372036854775808", Kind::too_large, 0},
      {"1000000000000000000000000000000", Kind::bad, 0},
      {"-1", Kind::bad, 0},
      {"+3", Kind::bad, 0},
      {" 3", Kind::bad, 0},
      {"3 ", Kind::bad, 0},
      {"0x10", Kind::bad, 0},
      {"3,3", Kind::bad, 0},
      {"three", Kind::bad, 0},
  };
  for (const auto& c : cases) {
    Request request;
    request.content_length = c.text;
    const ContentLength length = content_length(request, 1024);
    EXPECT_EQ(length.kind, c.kind) << "'" << c.text << "'";
    EXPECT_EQ(length.bytes, c.bytes) << "'" << c.text << "'";
  }
  EXPECT_EQ(content_length(Request{}, 1024).kind, Kind::missing);
}

TEST(Request, KeepsWhatMattersAndIgnoresTheRest) {
  Request request;
  set_parameter(request, "REQUEST_METHOD", "POST");
  set_parameter(request, "REMOTE_ADDR", "47.74.206.1");
  set_parameter(request, "QUERY_STRING", "team=db");
  set_parameter(request, "CONTENT_TYPE", "application/json");
  set_parameter(request, "CONTENT_LENGTH", "12");
  set_parameter(request, "HTTP_X_FORWARDED_FOR", "192.0.2.1");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.remote_addr, "47.74.206.1");
  EXPECT_EQ(request.query_string, "team=db");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.content_length, "12");
  EXPECT_EQ(request.remote_addr_count, 1);
}

TEST(Request, TheFirstOfARepeatedParameterCountsAndRemoteAddrIsCounted) {
  Request request;
  for (const char* value : {"47.74.206.1", "192.0.2.1"}) set_parameter(request, "REMOTE_ADDR", value);
  for (const char* value : {"10", "20"}) set_parameter(request, "CONTENT_LENGTH", value);
  EXPECT_EQ(request.remote_addr, "47.74.206.1");
  EXPECT_EQ(request.remote_addr_count, 2);
  EXPECT_EQ(request.content_length, "10");
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
