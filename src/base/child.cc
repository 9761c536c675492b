#include "base/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 forgot it there
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace alertspool {
namespace {

using std::chrono::seconds;

constexpr seconds kGrace{5};         // from TERM to KILL
constexpr milliseconds kDrain{200};  // for output that is still in the pipe when the child has ended
constexpr int kReadsAtOnce = 16;     // of an endless output, before others have their turn
constexpr int kStrangersAtOnce = 256;

/// Processes of all Children that are not reaped yet.
std::vector<pid_t>& known_pids() {
  static std::vector<pid_t> pids;
  return pids;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// posix_spawn(3) with no signal masked or ignored, `descriptors` (-1: /dev/null) as 0 to 2 and no others, in
/// `directory` or, when null, in ours.
pid_t spawn(const char* path, const std::vector<std::string>& argv, char* const* environment,
            const std::array<int, 3>& descriptors, int flags, const char* directory) {
  const std::vector<char*> arguments = pointers(argv);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int target = 0; target <= 2; ++target) {
    if (const int source = descriptors[static_cast<std::size_t>(target)]; source < 0)
      posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0);
    else
      posix_spawn_file_actions_adddup2(&actions, source, target);
  }
  if (directory) posix_spawn_file_actions_addchdir_np(&actions, directory);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  pid_t pid = 0;
  const int error = posix_spawn(&pid, path, &actions, &attributes, arguments.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), std::string("cannot start ") + path);
  return pid;
}

}  // namespace

std::string Ending::text() const {
  switch (kind) {
    case Kind::exited:
      return "exit " + std::to_string(code);
    case Kind::signalled:
      return "signal " + std::to_string(code) + " (" + strsignal(code) + ")";
    case Kind::timed_out:
      return "timeout after " + to_text(timeout);
    case Kind::not_started:
      break;
  }
  return std::string("cannot start: ") + strerror(code);
}

Child::Child(const Command& command, SteadyTime now)
    : unwritten_(command.input), output_cap_(command.output_cap), started_(now) {
  ending_.timeout = command.timeout;
  if (command.timeout > milliseconds::zero()) deadline_ = now + command.timeout;
  try {
    start(command);
    write_input();
  } catch (const std::system_error& e) {
    ending_.code = e.code().value();
  }
}

void Child::start(const Command& command) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  set_nonblocking(in.write.get(), true);
  set_nonblocking(out.read.get(), true);
  known_pids().reserve(known_pids().size() + 1);
  pid_ = spawn(command.argv.at(0).c_str(), command.argv, pointers(command.environment).data(),
               {in.read.get(), out.write.get(), out.write.get()}, POSIX_SPAWN_SETPGROUP, "/");
  known_pids().push_back(pid_);
  phase_ = Phase::running;
  process_ = Fd(pidfd_open(pid_, 0));
  if (!process_) {
    ending_.code = errno;
    return reap();
  }
  input_ = std::move(in.write);
  output_ = std::move(out.read);
}

void Child::write_input() noexcept {
  if (!input_) return;
  const ssize_t count = write(input_.get(), unwritten_.data() + written_, unwritten_.size() - written_);
  if (count > 0) written_ += static_cast<std::size_t>(count);
  // EPIPE: a command need not read its input.
  if (written_ == unwritten_.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) input_.reset();
}

void Child::read_output() {
  std::array<char, 65536> buffer;  // all that a pipe holds
  for (int reads = 0; output_ && reads < kReadsAtOnce; ++reads) {
    const ssize_t count = read(output_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return output_.reset();
    const std::size_t room = output_cap_ - ending_.output.size();
    ending_.output.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
  }
}

/// Only looks (WNOWAIT): as long as the zombie is there, its number names this process group and no other.
bool Child::has_ended(SteadyTime now) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return false;
  ending_.kind = info.si_code == CLD_EXITED ? Ending::Kind::exited : Ending::Kind::signalled;
  if (timed_out_) ending_.kind = Ending::Kind::timed_out;
  ending_.code = info.si_status;
  ending_.duration = std::chrono::duration_cast<milliseconds>(now - started_);
  return true;
}

void Child::signal_group(int signal) const noexcept {
  kill(-pid_, signal);
  if (signal == SIGKILL) kill(pid_, signal);  // it may have left its group
}

void Child::escalate(SteadyTime now) noexcept {
  if (phase_ == Phase::running) {
    phase_ = Phase::terminating;
    deadline_ = now + kGrace;
    signal_group(SIGTERM);
    signal_group(SIGCONT);  // a stopped process takes TERM only when it goes on
  } else {
    phase_ = Phase::killed;
    deadline_ = SteadyTime::max();
    signal_group(SIGKILL);
  }
}

/// The end of everything that this child still has.
void Child::reap() noexcept {
  if (phase_ == Phase::done) return;
  signal_group(SIGKILL);
  while (waitid(P_PID, static_cast<id_t>(pid_), nullptr, WEXITED) != 0 && errno == EINTR) continue;
  std::erase(known_pids(), pid_);
  phase_ = Phase::done;
  process_.reset();
  input_.reset();
  output_.reset();
}

void Child::poll_for(std::vector<pollfd>& fds, SteadyTime& until) const {
  if (done()) return;
  until = std::min(until, deadline_);
  if (phase_ != Phase::draining) fds.push_back({process_.get(), POLLIN, 0});
  if (output_) fds.push_back({output_.get(), POLLIN, 0});
  if (input_) fds.push_back({input_.get(), POLLOUT, 0});
}

void Child::proceed(SteadyTime now) {
  if (done()) return;
  write_input();
  // Looked at before reading: what it wrote before its end is then in the pipe.
  if (phase_ != Phase::draining && has_ended(now)) {
    phase_ = Phase::draining;
    deadline_ = now + kDrain;
    input_.reset();
  }
  read_output();
  const bool draining = phase_ == Phase::draining;
  if (draining && (!output_ || now >= deadline_)) {
    reap();
  } else if (!draining && now >= deadline_) {
    timed_out_ = timed_out_ || phase_ == Phase::running;
    escalate(now);
  }
}

void Child::terminate(SteadyTime now) noexcept {
  if (!done() && phase_ != Phase::draining) escalate(now);
}

void reap_strangers() noexcept {
  for (int reaped = 0; reaped < kStrangersAtOnce; ++reaped) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const std::vector<pid_t>& known = known_pids();
    if (std::find(known.begin(), known.end(), info.si_pid) != known.end()) return;
    waitid(P_PID, static_cast<id_t>(info.si_pid), nullptr, WEXITED | WNOHANG);
  }
}

pid_t spawn_detached(const std::vector<std::string>& argv, int standard_input, int standard_error, const char* path) {
  return spawn(path ? path : argv.at(0).c_str(), argv, environ, {standard_input, -1, standard_error},
               POSIX_SPAWN_SETSID, nullptr);
}

}  // namespace alertspool
