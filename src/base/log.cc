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

struct LevelName {
  const char* text;
  int priority;
};

LevelName name_of(Level level) noexcept {
  switch (level) {
    case Level::debug:
      return {"debug", LOG_DEBUG};
    case Level::info:
      return {"info", LOG_INFO};
    case Level::notice:
      return {"notice", LOG_NOTICE};
    case Level::warning:
      return {"warning", LOG_WARNING};
    case Level::error:
      break;
  }
  return {"error", LOG_ERR};
}

std::string line_of(Level level, std::string_view event, Pairs pairs) {
  std::string line = logfmt("level", name_of(level).text) + ' ' + logfmt("event", event);
  for (const Pair& pair : pairs) line += ' ' + logfmt(pair.name, pair.value);
  return line += '\n';
}

// A log that cannot be written must not stop what it tells about.
void emit(Level level, const std::string& lines) noexcept {
  if (current_target == Target::syslog)
    ::syslog(name_of(level).priority, "%s", lines.c_str());
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
