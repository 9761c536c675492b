#include "base/log.h"

#include "base/fd.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>

namespace alertspool {
namespace {

/// Standard error goes into a pipe for as long as it lives.
class Captured {
public:
  Captured() : old_(dup(STDERR_FILENO)), pipe_(make_pipe()) {
    set_nonblocking(pipe_.read.get(), true);
    dup2(pipe_.write.get(), STDERR_FILENO);
  }
  ~Captured() { dup2(old_.get(), STDERR_FILENO); }

  std::string text() const {
    std::array<char, 65536> buffer;
    const ssize_t got = read(pipe_.read.get(), buffer.data(), buffer.size());
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
  }

private:
  Fd old_;
  Pipe pipe_;
};

TEST(Log, WritesOneLogfmtLinePerEvent) {
  const Captured captured;
  log::info("accept", {{"id", "42"}, {"addr", "47.74.206.1"}});
  EXPECT_EQ(captured.text(), "level=info event=accept id=42 addr=47.74.206.1\n");
}

TEST(Log, NamesEveryLevel) {
  const Captured captured;
  log::write(log::Level::debug, "e", {});
  log::notice("e", {});
  log::warning("e", {});
  log::error("e", {});
  EXPECT_EQ(captured.text(), "level=debug event=e\nlevel=notice event=e\nlevel=warning event=e\nlevel=error event=e\n");
}

TEST(Log, NeverLetsAValueStartALineOrAField) {
  const Captured captured;
  log::warning("refusal", {{"addr", "x\nlevel=error"}, {"reason", "%s%n a=\"b\""}});
  EXPECT_EQ(captured.text(), "level=warning event=refusal addr=\"x\\nlevel=error\" reason=\"%s%n a=\\\"b\\\"\"\n");
}

TEST(Log, WhenNobodyReadsItLinesAreLeftOutAndCounted) {
  const Captured captured;
  const std::string line = "level=info event=" + std::string(983, 'e') + '\n';
  for (int n = 0; n < 100; ++n) log::info(std::string(983, 'e'), {});  // more than a pipe holds
  std::string kept;
  for (std::string text = captured.text(); !text.empty(); text = captured.text()) kept += text;
  ASSERT_EQ(kept.size() % line.size(), 0U) << "whole lines";
  const std::size_t left_out = 100 - kept.size() / line.size();
  EXPECT_GT(left_out, 0U);
  log::info("e", {});
  EXPECT_EQ(captured.text(), "level=warning event=log error=\"could not be written\" left-out=" +
                                 std::to_string(left_out) + "\nlevel=info event=e\n");
}

TEST(Log, OutlivesAStandardErrorThatIsGone) {
  const Fd old(dup(STDERR_FILENO));
  close(STDERR_FILENO);
  log::error("e", {});
  dup2(old.get(), STDERR_FILENO);
  const Captured captured;
  log::info("e", {});
  EXPECT_EQ(captured.text(), "level=warning event=log error=\"could not be written\" left-out=1\nlevel=info event=e\n");
}

TEST(LogBatch, WritesNothingUntilToldAndThenAllOnce) {
  const Captured captured;
  log::Batch batch;
  batch.add(log::Level::info, "accept", {{"id", "1"}});
  batch.add(log::Level::info, "accept", {{"id", "2"}});
  EXPECT_EQ(captured.text(), "");
  batch.write();
  EXPECT_EQ(captured.text(), "level=info event=accept id=1\nlevel=info event=accept id=2\n");
  batch.write();
  EXPECT_EQ(captured.text(), "");
}

}  // namespace
}  // namespace alertspool
