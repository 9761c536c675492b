// The floor of `make bench`: a plain libfcgi program, 64 threads in libfcgi's own loop, that reads the body and answers.
// It keeps nothing.

#include <fcgiapp.h>

#include <array>
#include <thread>
#include <vector>

namespace {

void serve() {
  FCGX_Request request;
  FCGX_InitRequest(&request, 0, 0);
  std::array<char, 8192> body{};
  while (FCGX_Accept_r(&request) == 0) {
    while (FCGX_GetStr(body.data(), static_cast<int>(body.size()), request.in) == static_cast<int>(body.size())) {
    }
    FCGX_PutS("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\naccepted\n", request.out);
    FCGX_Finish_r(&request);
  }
}

}  // namespace

int main() {
  FCGX_Init();
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
}
