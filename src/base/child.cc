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

struct Child::State {
  enum class Phase { running, terminating, killed, draining, done };

  Phase phase = Phase::done;
  pid_t pid = 0;
  Fd process;  // a pidfd: readable when the process has ended
  Fd input;
  Fd output;
  std::string unwritten;
  std::size_t written = 0;
  std::size_t output_cap = 0;
  SteadyTime started;
  SteadyTime deadline = SteadyTime::max();  // of this phase
  bool timed_out = false;
  Ending ending;

  ~State() { reap(); }
  void start(const Command& command);
  void write_input() noexcept;
  void read_output();
  bool has_ended(SteadyTime now);
  void signal_group(int signal) const noexcept;
  void escalate(SteadyTime now) noexcept;
  void reap() noexcept;
};

void Child::State::start(const Command& command) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  set_nonblocking(in.write.get(), true);
  set_nonblocking(out.read.get(), true);
  known_pids().reserve(known_pids().size() + 1);
  pid = spawn(command.argv.at(0).c_str(), command.argv, pointers(command.environment).data(),
              {in.read.get(), out.write.get(), out.write.get()}, POSIX_SPAWN_SETPGROUP, "/");
  known_pids().push_back(pid);
  phase = Phase::running;
  process = Fd(pidfd_open(pid, 0));
  if (!process) fail_with_errno("cannot watch " + command.argv[0]);
  input = std::move(in.write);
  output = std::move(out.read);
}

void Child::State::write_input() noexcept {
  if (!input) return;
  const ssize_t count = write(input.get(), unwritten.data() + written, unwritten.size() - written);
  if (count > 0) written += static_cast<std::size_t>(count);
  // EPIPE: a command need not read its input.
  if (written == unwritten.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) input.reset();
}

void Child::State::read_output() {
  std::array<char, 65536> buffer;  // all that a pipe holds
  for (int reads = 0; output && reads < kReadsAtOnce; ++reads) {
    const ssize_t count = read(output.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return output.reset();
    const std::size_t room = output_cap - ending.output.size();
    ending.output.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
  }
}

/// Only looks (WNOWAIT): as long as the zombie is there, its number names this process group and no other.
bool Child::State::has_ended(SteadyTime now) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return false;
  ending.kind = info.si_code == CLD_EXITED ? Ending::Kind::exited : Ending::Kind::signalled;
  if (timed_out) ending.kind = Ending::Kind::timed_out;
  ending.code = info.si_status;
  ending.duration = std::chrono::duration_cast<milliseconds>(now - started);
  return true;
}

void Child::State::signal_group(int signal) const noexcept {
  kill(-pid, signal);
  if (signal == SIGKILL) kill(pid, signal);  // it may have left its group
}

void Child::State::escalate(SteadyTime now) noexcept {
  if (phase == Phase::running) {
    phase = Phase::terminating;
    deadline = now + kGrace;
    signal_group(SIGTERM);
    signal_group(SIGCONT);  // a stopped process takes TERM only when it goes on
  } else {
    phase = Phase::killed;
    deadline = SteadyTime::max();
    signal_group(SIGKILL);
  }
}

/// The end of everything that this child still has.
void Child::State::reap() noexcept {
  if (phase == Phase::done) return;
  signal_group(SIGKILL);
  while (waitid(P_PID, static_cast<id_t>(pid), nullptr, WEXITED) != 0 && errno == EINTR) continue;
  std::erase(known_pids(), pid);
  phase = Phase::done;
  process.reset();
  input.reset();
  output.reset();
}

Child::Child(const Command& command, SteadyTime now) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.started = now;
  s.unwritten = command.input;
  s.output_cap = command.output_cap;
  s.ending.timeout = command.timeout;
  if (command.timeout > milliseconds::zero()) s.deadline = now + command.timeout;
  try {
    s.start(command);
    s.write_input();
  } catch (const std::system_error& e) {
    s.ending.code = e.code().value();
    s.reap();
  }
}

Child::Child(Child&&) noexcept = default;
Child& Child::operator=(Child&&) noexcept = default;
Child::~Child() = default;

bool Child::done() const noexcept {
  return state_->phase == State::Phase::done;
}
const Ending& Child::ending() const noexcept {
  return state_->ending;
}
pid_t Child::pid() const noexcept {
  return state_->pid;
}

void Child::poll_for(std::vector<pollfd>& fds, SteadyTime& until) const {
  const State& s = *state_;
  if (done()) return;
  until = std::min(until, s.deadline);
  if (s.phase != State::Phase::draining) fds.push_back({s.process.get(), POLLIN, 0});
  if (s.output) fds.push_back({s.output.get(), POLLIN, 0});
  if (s.input) fds.push_back({s.input.get(), POLLOUT, 0});
}

void Child::proceed(SteadyTime now) {
  State& s = *state_;
  if (done()) return;
  s.write_input();
  // Looked at before reading: what it wrote before its end is then in the pipe.
  if (s.phase != State::Phase::draining && s.has_ended(now)) {
    s.phase = State::Phase::draining;
    s.deadline = now + kDrain;
    s.input.reset();
  }
  s.read_output();
  const bool draining = s.phase == State::Phase::draining;
  if (draining && (!s.output || now >= s.deadline)) {
    s.reap();
  } else if (!draining && now >= s.deadline) {
    s.timed_out = s.timed_out || s.phase == State::Phase::running;
    s.escalate(now);
  }
}

void Child::terminate(SteadyTime now) noexcept {
  if (!done() && state_->phase != State::Phase::draining) state_->escalate(now);
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
