#include "main/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace alertspool {

Fd take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGCHLD}) sigaddset(&set, each);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  (void)signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw std::system_error(errno, std::generic_category(), "cannot make a signalfd");
  return fd;
}

Signal next_signal(const Fd& signals) noexcept {
  signalfd_siginfo info;
  if (read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return Signal::none;
  if (info.ssi_signo == SIGHUP) return Signal::reload;
  return info.ssi_signo == SIGCHLD ? Signal::none : Signal::stop;
}

}  // namespace alertspool
