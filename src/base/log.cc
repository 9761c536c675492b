#include "base/log.h"

#include "base/fd.h"
#include "base/syslog_socket.h"
#include "base/text.h"

#include <limits.h>
#include <poll.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <mutex>

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

/// Where lines go. A log that cannot be written, or that nobody reads, must not stop what it tells about: what it does
/// not take within kPatience is left out, and until it takes something again it is not waited for.
class Sink {
public:
  void put(Level level, std::string_view lines) noexcept try {
    const std::lock_guard lock(mutex_);
    while (!lines.empty()) {
      const std::string_view part = current_target == Target::syslog ? lines : first_part(lines);
      if (left_out_ > 0 && write(Level::warning, "level=warning event=log error=\"could not be written\" left-out=" +
                                                     std::to_string(left_out_) + '\n'))
        left_out_ = 0;
      if (!write(level, part)) left_out_ += std::ranges::count(part, '\n');
      lines.remove_prefix(part.size());
    }
  } catch (const std::exception&) {
    ++left_out_;  // out of memory
  }

private:
  static constexpr int kPatience = 100;  // ms

  /// As many lines as poll(2) promises a pipe to have room for: no write(2) of them blocks, or mixes with another's.
  static std::string_view first_part(std::string_view lines) noexcept {
    lines = lines.substr(0, PIPE_BUF);
    return lines.substr(0, std::min(lines.rfind('\n'), lines.size() - 1) + 1);
  }
  bool writable(int fd) noexcept {
    pollfd room{fd, POLLOUT, 0};
    stuck_ = poll(&room, 1, stuck_ ? 0 : kPatience) == 0;
    return !stuck_;
  }
  bool write(Level level, std::string_view part) {
    constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR};
    if (current_target != Target::syslog) return writable(STDERR_FILENO) && write_all(STDERR_FILENO, part);
    part.remove_suffix(1);
    const std::string datagram = syslog_datagram(LOG_DAEMON | kPriorities[static_cast<int>(level)], part);
    int error = daemon_.send(datagram);
    while (error == EAGAIN && writable(daemon_.fd())) error = daemon_.send(datagram);
    return error == 0;
  }

  std::mutex mutex_;
  SyslogSocket daemon_{"/dev/log"};
  bool stuck_ = false;
  std::int64_t left_out_ = 0;  ///< lines
};

Sink& sink() {
  static Sink sink;
  return sink;
}

}  // namespace

void open(Target target) noexcept {
  current_target = target;
}

void write(Level level, std::string_view event, Pairs pairs) noexcept {
  try {
    sink().put(level, line_of(level, event, pairs));
  } catch (const std::exception&) {
    sink().put(Level::error, "level=error event=log error=\"out of memory, a line is missing here\"\n");
  }
}

void Batch::add(Level level, std::string_view event, Pairs pairs) {
  if (current_target == Target::syslog)
    log::write(level, event, pairs);  // each line has a priority and a datagram of its own
  else
    lines_ += line_of(level, event, pairs);
}

void Batch::write() noexcept {
  sink().put(Level::info, lines_);
  lines_.clear();
}

}  // namespace alertspool::log
