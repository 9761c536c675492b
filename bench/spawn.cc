// Starts a command COUNT times, one after the other in each of THREADS threads, and waits for each: spawn THREADS COUNT
// INPUT COMMAND [ARGUMENT...]. INPUT is its standard input, QUERY_STRING differs from run to run. Prints what it took
// as JSON; ends with an error when a run did not end with 0.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using Microseconds = std::chrono::duration<double, std::micro>;

bool run(char* const* command, const posix_spawn_file_actions_t& files, int number) {
  std::string query = "QUERY_STRING=n=" + std::to_string(number);
  std::vector<char*> environment{query.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  return posix_spawn(&pid, command[0], &files, nullptr, command, environment.data()) == 0 &&
         waitpid(pid, &status, 0) == pid && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 64;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, argv[3], O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int count = std::atoi(argv[2]);
  std::vector<double> took(static_cast<std::size_t>(count));
  std::atomic<int> next{0};
  std::atomic<bool> failed{false};
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = std::atoi(argv[1]); i > 0; --i) {
    threads.emplace_back([&] {
      for (int number = next++; number < count; number = next++) {
        const auto start = std::chrono::steady_clock::now();
        if (!run(argv + 4, files, number)) failed = true;
        took[static_cast<std::size_t>(number)] = Microseconds(std::chrono::steady_clock::now() - start).count();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = Microseconds(std::chrono::steady_clock::now() - begun).count() / 1e6;
  std::sort(took.begin(), took.end());
  std::printf("{\"rate\": %f, \"median_us\": %f}\n", count / seconds, took[took.size() / 2]);
  return failed ? 70 : 0;
}
