// The floor that `make bench` compares with: libfcgi's own loop in 64 threads that reads the body and answers, and
// keeps nothing. Standard input is the listening socket.

#include <fcgiapp.h>

#include <array>
#include <thread>
#include <vector>

namespace {

void answer_for_ever() {
  FCGX_Request request;
  if (FCGX_InitRequest(&request, 0, 0) != 0) return;
  while (FCGX_Accept_r(&request) == 0) {
    std::array<char, 4096> body{};
    while (FCGX_GetStr(body.data(), body.size(), request.in) > 0) {
    }
    FCGX_PutS("Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n", request.out);
    FCGX_Finish_r(&request);
  }
}

}  // namespace

int main() {
  if (FCGX_Init() != 0) return 70;
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i) threads.emplace_back(answer_for_ever);
  for (std::thread& thread : threads) thread.join();
}
