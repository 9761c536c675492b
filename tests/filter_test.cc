#include "main/operator.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

const WallTime kNow{milliseconds(1'700'000'000'000)};

Arguments given(std::initializer_list<std::pair<std::string, std::string>> options) {
  Arguments arguments;
  for (const auto& [name, value] : options) arguments.add(name, value);
  return arguments;
}

std::string usage_error(const Arguments& arguments) {
  try {
    selection_of(arguments, kNow);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Filter, WithoutOptionsSelectsAll) {
  const Selection selection = selection_of({}, kNow);
  EXPECT_EQ(selection.filter.state, "");
  EXPECT_FALSE(selection.filter.since || selection.filter.until);
  EXPECT_TRUE(selection.matches.empty());
}

TEST(Filter, TakesWhatTheSpoolCanSelect) {
  const Filter filter =
      selection_of(given({{"state", "failed"}, {"action", "page"}, {"alarm", "00ff"}, {"token", "ops"}}), kNow).filter;
  EXPECT_EQ(filter.state, "failed");
  EXPECT_EQ(filter.action, "page");
  EXPECT_EQ(filter.alarm, "00ff");
  EXPECT_EQ(filter.token, "ops");
}

TEST(Filter, UnderstandsTimesAndAges) {
  const Filter filter = selection_of(given({{"since", "2h"}, {"until", "2023-11-14T22:00:00Z"}}), kNow).filter;
  EXPECT_EQ(filter.since, kNow - std::chrono::hours(2));
  EXPECT_EQ(filter.until, WallTime(milliseconds(1'699'999'200'000)));
}

TEST(Filter, CollectsEveryMatch) {
  const Selection selection =
      selection_of(given({{"match", "severity CRITICAL WARN"}, {"match", "dimension.port 10080"}}), kNow);
  ASSERT_EQ(selection.matches.size(), 2U);
  EXPECT_EQ(selection.matches[0].field, "severity");
  EXPECT_EQ(selection.matches[0].globs, (std::vector<std::string>{"CRITICAL", "WARN"}));
  EXPECT_EQ(selection.matches[1].field, "dimension.port");
}

TEST(Filter, RefusesBadValuesNamingOptionAndCure) {
  struct Case {
    const char* option;
    const char* value;
    const char* says;
  };
  const Case cases[] = {{"state", "faild", "--help"},
                        {"since", "yesterday", "--since"},
                        {"until", "5", "--until"},
                        {"match", "severity 'open", "--match"}};
  for (const Case& c : cases) {
    const std::string error = usage_error(given({{c.option, c.value}}));
    EXPECT_NE(error.find(c.says), std::string::npos) << c.option << ' ' << c.value << ": " << error;
    EXPECT_NE(error.find(c.value), std::string::npos) << error;
  }
}

TEST(Filter, OptionsComeBesideTheVerbsOwn) {
  std::vector<std::string> names;
  for (const OptionSpec& option : with_filter_options({{"limit", "N", ""}})) names.emplace_back(option.name);
  EXPECT_EQ(names, (std::vector<std::string>{"state", "action", "alarm", "token", "since", "until", "match", "limit"}));
}

TEST(Ids, AreSortedAndEachThereOnce) {
  Arguments arguments;
  arguments.positional = {"42", "7", "42"};
  EXPECT_EQ(ids_of(arguments), (std::vector<std::int64_t>{7, 42}));
}

TEST(Ids, RefuseWhatIsNoId) {
  for (const char* word : {"", "x", "-1", "4.2", "9223372036854775808", "99999999999999999999"}) {
    Arguments arguments;
    arguments.positional = {word};
    EXPECT_THROW(ids_of(arguments), UsageError) << word;
  }
}

}  // namespace
}  // namespace alertspool
