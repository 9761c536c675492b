/* LD_PRELOAD: the wall clock is off by the seconds in the file $CLOCK, 8 bytes, which may change at any time. libfaketime
   and jemalloc, which the program is linked with, wait for each other for ever. */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none, *offset = &none;

__attribute__((constructor)) static void open_clock(void) {
  const char* path = getenv("CLOCK");
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void* file = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
  if (file != MAP_FAILED) offset = file;
  if (fd >= 0) close(fd);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const int result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += *offset;
  return result;
}
