// The floor that `make bench` compares with: libfcgi's own loop in 64 threads that reads the body and answers, and
// keeps nothing. Standard input is the listening socket; else it is a CGI program that does the same.

#include <fcgiapp.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr const char* kAnswer = "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

void answer_for_ever() {
  FCGX_Request request;
  if (FCGX_InitRequest(&request, 0, 0) != 0) return;
  while (FCGX_Accept_r(&request) == 0) {
    std::array<char, 4096> body{};
    while (FCGX_GetStr(body.data(), body.size(), request.in) > 0) {
    }
    FCGX_PutS(kAnswer, request.out);
    FCGX_Finish_r(&request);
  }
}

bool answer_once() {
  std::array<char, 4096> body{};
  while (read(STDIN_FILENO, body.data(), body.size()) > 0) {
  }
  return write(STDOUT_FILENO, kAnswer, std::strlen(kAnswer)) > 0;
}

}  // namespace

int main() {
  if (FCGX_IsCGI() != 0) return answer_once() ? 0 : 70;
  if (FCGX_Init() != 0) return 70;
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i) threads.emplace_back(answer_for_ever);
  for (std::thread& thread : threads) thread.join();
}
