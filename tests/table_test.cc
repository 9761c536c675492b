#include "main/table.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace alertspool {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"", 0}, {"memory", 6}, {"内存使用率", 10}, {"é", 1}, {"e\u0301", 1}, {"，", 2}, {"한글", 4}, {"🔥", 2}, {"…", 1}};
  for (const auto& [text, width] : cases) EXPECT_EQ(display_width(text), width) << text;
}

TEST(Cut, MarksWhatItCutsWithAnEllipsis) {
  struct Case {
    const char* text;
    std::size_t width;
    const char* cut;
  };
  const Case cases[] = {{"memory", 6, "memory"}, {"memory", 5, "memo…"},      {"memory", 1, "…"},
                        {"memory", 0, ""},       {"内存使用", 8, "内存使用"}, {"内存使用", 7, "内存使…"},
                        {"内存使用", 6, "内存…"}};
  for (const Case& c : cases) {
    EXPECT_EQ(cut(c.text, c.width), c.cut) << c.text << ' ' << c.width;
    EXPECT_LE(display_width(cut(c.text, c.width)), c.width);
  }
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({{"ID", true}, {"STATE"}, {"NAME"}});
  table.add({"7", "delivered", "disk"});
  table.add({"123", "failed", "memory use"});
  EXPECT_EQ(table.text(80),
            " ID STATE     NAME\n"
            "  7 delivered disk\n"
            "123 failed    memory use\n");
}

TEST(Table, AlignsWideCharacters) {
  Table table({{"NAME"}, {"STATE"}});
  table.add({"内存", "failed"});
  table.add({"disk", "failed"});
  EXPECT_EQ(table.text(80),
            "NAME STATE\n"
            "内存 failed\n"
            "disk failed\n");
}

TEST(Table, CutsTheWidestColumnThatGivesWay) {
  Table table({{"RECEIVED"}, {"NAME", false, true}, {"OBJECT", false, true}});
  table.add({std::string(20, 'r'), std::string(30, 'n'), "short"});
  EXPECT_EQ(table.text(40),
            "RECEIVED             NAME         OBJECT\n"
            "rrrrrrrrrrrrrrrrrrrr nnnnnnnnnnn… short\n");
}

TEST(Table, NeverExceedsItsWidth) {
  Table table({{"ID", true}, {"NAME", false, true}, {"OBJECT", false, true}});
  table.add({"1", std::string(100, 'n'), std::string(200, 'o')});
  table.add({"2", "内存使用率内存使用率内存使用率内存使用率内存使用率内存使用率", "x"});
  for (const std::string& line : split(table.text(80), '\n')) EXPECT_LE(display_width(line), 80U) << line;
}

TEST(Table, EscapesWhatCouldMoveTheCursor) {
  Table table({{"NAME"}});
  table.add({"a\x1b[2J\nb"});
  EXPECT_EQ(table.text(80), "NAME\na\\x1b[2J\\nb\n");
}

TEST(Table, HasNoColourOutsideATerminal) {
  testing::internal::CaptureStdout();  // a file, whatever started the tests
  const std::string text = paint("failed", Colour::red);
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(text, "failed");
}

TEST(Aligned, PadsNamesAndEscapesValues) {
  EXPECT_EQ(aligned({{"alertName", "a\nb"}, {"unit", ""}, {"名", "x"}}),
            "  alertName  a\\nb\n"
            "  unit       \n"
            "  名         x\n");
}

}  // namespace
}  // namespace alertspool
