/// Child: one process that runs a command. Describe it, start it, then feed what poll(2) says to it until it is done.
///
/// Entirely passive: it owns the descriptors and the process group, the caller owns the loop and the clock. Never a
/// shell. The child gets exactly the argv and environment given, working directory `/`, our umask, an empty signal
/// mask, default signals, a process group of its own, and descriptors 0 to 2 only. REQUIRES: SIGPIPE is ignored. All
/// Children of a process belong to one thread.

#pragma once

#include "base/fd.h"
#include "base/time.h"

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace alertspool {

struct Command {
  std::vector<std::string> argv;         ///< argv[0] is the path that is executed; no PATH search
  std::vector<std::string> environment;  ///< "NAME=value"
  std::string input;                     ///< written to standard input, then closed; not reading it is fine
  std::size_t output_cap = 4096;         ///< of stdout and stderr together; more is read and thrown away
  milliseconds timeout{0};               ///< TERM to the group after this, KILL 5 s later; 0: never
};

/// How a child ended.
struct Ending {
  enum class Kind { exited, signalled, timed_out, not_started };
  Kind kind = Kind::not_started;
  int code = 0;        ///< exit code, signal number, or errno of the start
  std::string output;  ///< as it came, at most output_cap bytes
  milliseconds duration{0};
  milliseconds timeout{0};  ///< of the command

  /// `exit 75`, `signal 9 (Killed)`, `timeout after 30s`, `cannot start: No such file or directory`.
  std::string text() const;
};

class Child {
public:
  /// Starts it. Never throws for what the command is: a command that cannot be started is a Child that is done.
  Child(const Command& command, SteadyTime now);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Kills the process group and waits when it is not done.
  ~Child() { reap(); }

  bool done() const noexcept { return phase_ == Phase::done; }
  /// REQUIRES: done().
  const Ending& ending() const noexcept { return ending_; }

  /// Adds what to poll for, and says until when at the latest.
  void poll_for(std::vector<pollfd>& fds, SteadyTime& until) const;
  /// After poll(2): reads, writes, reaps, kills at the deadline. Call with whatever poll returned, also with nothing.
  void proceed(SteadyTime now);
  /// Ends it early: TERM to the group now, KILL 5 s later (at once the second time).
  void terminate(SteadyTime now) noexcept;

  pid_t pid() const noexcept { return pid_; }

private:
  enum class Phase { running, terminating, killed, draining, done };

  void start(const Command& command);
  void write_input() noexcept;
  void read_output();
  bool has_ended(SteadyTime now);
  void signal_group(int signal) const noexcept;
  void escalate(SteadyTime now) noexcept;
  void reap() noexcept;

  Phase phase_ = Phase::done;
  pid_t pid_ = 0;
  Fd process_;  ///< a pidfd: readable when the process has ended
  Fd input_;
  Fd output_;
  std::string unwritten_;
  std::size_t written_ = 0;
  std::size_t output_cap_;
  SteadyTime started_;
  SteadyTime deadline_ = SteadyTime::max();  ///< of this phase
  bool timed_out_ = false;
  Ending ending_;
};

/// Reaps ended processes that are no Child's: grandchildren that left their group (setsid) come to a process that is a
/// subreaper (prctl(2)) when their parents end. Takes no Child's exit status.
void reap_strangers() noexcept;

/// Starts `argv` for good, from `path` (null: argv[0]): own session, descriptors as given (-1: /dev/null), standard
/// output on /dev/null, everything else closed, signals reset, our own directory and environment (what a web server put
/// there is for the caller to take out). Throws std::system_error.
pid_t spawn_detached(const std::vector<std::string>& argv, int standard_input, int standard_error,
                     const char* path = nullptr);

}  // namespace alertspool
