#include "main/process.h"

#include "base/child.h"
#include "base/log.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 forgot it there
#include <sys/pidfd.h>
}

#include <algorithm>
#include <system_error>

namespace alertspool {

using namespace std::chrono_literals;

Fd take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGCHLD}) {
    sigaddset(&set, each);
    (void)signal(each, SIG_DFL);  // who started us may ignore it, which survives exec: no such signal would ever come
  }
  sigprocmask(SIG_BLOCK, &set, nullptr);
  (void)signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) fail_with_errno("cannot make a signalfd");
  return fd;
}

Signal next_signal(const Fd& signals) noexcept {
  signalfd_siginfo info;
  if (read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return Signal::none;
  if (info.ssi_signo == SIGHUP) return Signal::reload;
  return info.ssi_signo == SIGCHLD ? Signal::none : Signal::stop;
}

std::optional<Config> reload_config(const Arguments& arguments, Secrets secrets, std::string& note) {
  try {
    Config config = config_of(arguments, secrets);
    log::notice("config", {{"file", config.path}});
    note.clear();
    return config;
  } catch (const ConfigError& error) {
    note = std::string("configuration stale: ") + error.what();
    log::error("config", {{"error", error.what()}, {"next", "the old configuration stays"}});
    return std::nullopt;
  }
}

SteadyTime DelivererProcess::proceed(SteadyTime now) {
  int status = 0;
  if (pid_ != 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    if (now - started_ >= std::chrono::minutes(1)) pause_ = 1s;
    const int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    log::error("deliverer-end", {{"pid", std::to_string(pid_)},
                                 {WIFSIGNALED(status) ? "signal" : "exit", std::to_string(code)},
                                 {"next", pause(now)}});
    pid_ = 0;
    stop();
  }
  if (pid_ == 0 && now >= next_start_) start(now);
  return pid_ == 0 ? next_start_ : SteadyTime::max();
}

void DelivererProcess::start(SteadyTime now) {
  try {
    Pipe pipe = make_pipe();
    pid_ = spawn_detached(command_, pipe.read.get(), STDERR_FILENO, path_);
    lifetime_ = std::move(pipe.write);
    started_ = now;
    log::info("deliverer-start", {{"pid", std::to_string(pid_)}});
  } catch (const std::system_error& error) {
    log::error("deliverer-start", {{"error", error.what()}, {"next", pause(now)}});
  }
}

/// Puts the next start off, and says so.
std::string DelivererProcess::pause(SteadyTime now) {
  next_start_ = now + pause_;
  return "again in " + to_text(std::exchange(pause_, std::min(2 * pause_, 30s)));
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
