#include "base/log.h"

#include "base/fd.h"
#include "base/text.h"

#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <exception>

namespace alertspool::log {
namespace {

std::atomic<Target> current_target{Target::standard_error};

std::string line_of(Level level, std::string_view event, Pairs pairs) {
  constexpr std::string_view kNames[] = {"debug", "info", "notice", "warning", "error"};
  std::string line;
  line.reserve(200);
  line += logfmt("level", kNames[static_cast<int>(level)]) + ' ' + logfmt("event", event);
  for (const Pair& pair : pairs) line += ' ' + logfmt(pair.name, pair.value);
  return line += '\n';
}

// A log that cannot be written must not stop what it tells about.
void emit(Level level, const std::string& lines) noexcept {
  constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR};
  if (current_target == Target::syslog)
    ::syslog(kPriorities[static_cast<int>(level)], "%s", lines.c_str());
  else
    (void)write_all(STDERR_FILENO, lines);
}

}  // namespace

void open(Target target) noexcept {
  if (target == Target::syslog) openlog("alertspool", LOG_PID, LOG_DAEMON);
  current_target = target;
}

void write(Level level, std::string_view event, Pairs pairs) noexcept {
  try {
    emit(level, line_of(level, event, pairs));
  } catch (const std::exception&) {
    emit(Level::error, "level=error event=log error=\"out of memory, a line is missing here\"\n");
  }
}

void Batch::add(Level level, std::string_view event, Pairs pairs) {
  if (current_target == Target::syslog)
    log::write(level, event, pairs);  // each line has a priority and a datagram of its own
  else
    lines_ += line_of(level, event, pairs);
}

void Batch::write() noexcept {
  if (!lines_.empty()) emit(Level::info, lines_);
  lines_.clear();
}

}  // namespace alertspool::log
