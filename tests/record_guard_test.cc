#include "web/record_guard.h"

#include "fastcgi_client.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

using namespace std::string_literals;

constexpr auto kManagement = static_cast<record::Type>(9);  // FCGI_GET_VALUES

/// What passes of it, fed in pieces of that size.
std::size_t passed(std::string_view bytes, std::size_t piece) {
  RecordGuard guard;
  std::size_t sum = 0;
  for (; !bytes.empty() && !guard.broken(); bytes.remove_prefix(std::min(piece, bytes.size())))
    sum += guard.pass(bytes.substr(0, piece));
  return sum;
}

std::string padded(std::string bytes, char size) {
  bytes[6] = size;
  return bytes + std::string(static_cast<std::size_t>(size), '\xff');
}

std::string long_pair(std::string_view lengths, std::string_view text = "") {
  return record::make(record::params, std::string(lengths) + std::string(text));
}

const std::string kBegin = record::begin_request(true);
const std::string kParameters = record::make(record::params, record::parameter("NAME", std::string(300, 'v')));
const std::string kNoMore = record::make(record::params, "");
const std::string kBody = record::make(record::input, "a=1");
const std::string kEnd = record::make(record::input, "");

TEST(RecordGuard, PassesWhatAWebServerSends) {
  const std::string cases[] = {
      "",
      post("a=1"),
      post(""),
      kBegin + kNoMore + kEnd,
      kBegin + padded(kParameters, 4) + kNoMore + padded(kBody, 5) + kEnd,
      kBegin + kParameters.substr(0, 4) + "\1\0"s + kParameters.substr(6, 2) + kParameters.substr(8, 256) +
          record::make(record::params, kParameters.substr(264)) + kNoMore + kBody + kBody + kEnd,
      post("a=1") + "what is behind a request",
      kBegin + kParameters + kNoMore + kBody + padded(kEnd, 8),
  };
  for (const std::string& bytes : cases)
    for (const std::size_t piece : {1UL, 7UL, 8192UL}) EXPECT_EQ(passed(bytes, piece), bytes.size()) << piece;
}

TEST(RecordGuard, StopsBeforeWhatNoWebServerSends) {
  const struct {
    const char* what;
    std::string good;
    std::string bad;
  } cases[] = {
      {"another version", "", "\2"s + kBegin.substr(1)},
      {"no BEGIN_REQUEST", "", kParameters},
      {"a request without a number", "", record::make(record::begin, std::string(8, '\0'), 0)},
      {"a BEGIN_REQUEST of another size", "", record::make(record::begin, std::string(9, '\0'))},
      {"padding that libfcgi forgets", "", padded(kBegin, 8)},
      {"padding that it forgets, too", kBegin + kParameters, padded(kNoMore, 8)},
      {"a management record at the start", "", record::make(kManagement, "", 0)},
      {"one among the parameters", kBegin + kParameters, record::make(kManagement, "", 0)},
      {"one within the body", kBegin + kNoMore + kBody, record::make(kManagement, "", 0)},
      {"a second request", kBegin, record::make(record::begin, std::string(8, '\0'), 2)},
      {"a record of another request", kBegin + kNoMore + kBody, record::make(record::input, "", 2)},
      {"a body before the parameters", kBegin, kBody},
      {"parameters within the body", kBegin + kNoMore + kBody, kParameters},
      {"an end by abort", kBegin + kNoMore + kBody, record::make(record::abort, "")},
  };
  for (const auto& [what, good, bad] : cases) {
    EXPECT_EQ(passed(good + bad, 8192), good.size()) << what;
    EXPECT_LT(passed(good + bad, 1), good.size() + 8) << what << ": its header is not read to the end";
    EXPECT_EQ(passed(good + bad + post("a=1"), 8192), good.size()) << what << ": nothing passes behind it";
  }
}

TEST(RecordGuard, BelievesNoLengthThatCannotBe) {
  const std::string lengths[] = {"\xff\xff\xff\xff\xff\xff\xff\xff", "\x80\x10\0\1\0"s, "\0\x80\x10\0\1"s,
                                 "\1\x80\x10\0\0n"s};
  for (const std::string& pair : lengths)
    for (const std::size_t piece : {1UL, 8192UL})
      EXPECT_LT(passed(kBegin + long_pair(pair), piece), (kBegin + long_pair(pair)).size());
  const std::string most = kBegin + long_pair("\0\x80\x10\0\0"s, "v");
  EXPECT_EQ(passed(most, 8192), most.size());
}

TEST(RecordGuard, PassesSoManyParametersAndNoMore) {
  const std::string record = record::make(record::params, std::string(32768, '\0'));  // 16,384 pairs without anything
  RecordGuard guard;
  guard.pass(kBegin);
  for (std::size_t size = 0; size < kMaxParameters; size += 32768) EXPECT_EQ(guard.pass(record), record.size());
  EXPECT_EQ(guard.pass(record::make(record::params, "\0\0"s)), 0U);
  EXPECT_TRUE(guard.broken());
}

}  // namespace
}  // namespace alertspool
