#include "main/deliverer_process.h"

#include "base/child.h"
#include "base/log.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 forgot it there
#include <sys/pidfd.h>
}

#include <algorithm>
#include <system_error>

namespace alertspool {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kLongestPause = 30s;
constexpr std::chrono::seconds kHealthyLife = 60s;

}  // namespace

std::vector<std::string> deliver_command(const Arguments& arguments, const char* option) {
  std::vector<std::string> command = {"alertspool", "deliver", option};
  if (arguments.config_asked_for) command.insert(command.end(), {"--config", arguments.config_path});
  return command;
}

SteadyTime DelivererProcess::proceed(SteadyTime now) {
  int status = 0;
  if (pid_ != 0 && waitpid(pid_, &status, WNOHANG) == pid_) log_end(status, now);
  if (pid_ == 0 && now >= next_start_) start(now);
  return pid_ == 0 ? next_start_ : SteadyTime::max();
}

void DelivererProcess::start(SteadyTime now) {
  started_ = now;
  next_start_ = now + pause_;
  try {
    Pipe pipe = make_pipe();
    pid_ = spawn_detached(command_, pipe.read.get(), STDERR_FILENO, path_);
    lifetime_ = std::move(pipe.write);
    log::info("deliverer-start", {{"pid", std::to_string(pid_)}});
  } catch (const std::system_error& error) {
    log::error("deliverer-start", {{"error", error.what()}, {"next", "again in " + to_text(pause_)}});
    pause_ = std::min(2 * pause_, kLongestPause);
  }
}

void DelivererProcess::log_end(int status, SteadyTime now) {
  if (now - started_ >= kHealthyLife) pause_ = 1s;
  log::error("deliverer-end", {{"pid", std::to_string(pid_)},
                               {WIFSIGNALED(status) ? "signal" : "exit",
                                std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))},
                               {"next", "again in " + to_text(pause_)}});
  next_start_ = now + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
  pid_ = 0;
  lifetime_.reset();
}

void DelivererProcess::signal(int number) const noexcept {
  if (pid_ != 0) kill(pid_, number);
}

void DelivererProcess::wait(SteadyTime deadline) noexcept {
  if (pid_ == 0) return;
  const Fd process(pidfd_open(pid_, 0));
  pollfd ended{process.get(), POLLIN, 0};
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
  if (poll(&ended, 1, static_cast<int>(std::max(left, 0ms).count())) == 0) {
    log::warning("deliverer-end",
                 {{"pid", std::to_string(pid_)}, {"error", "still runs at the end"}, {"next", "KILL"}});
    kill(pid_, SIGKILL);
  }
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace alertspool
