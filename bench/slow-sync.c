/* Preloaded: a disk whose fdatasync takes 5 ms more. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const struct timespec more = {0, 5000000};
  nanosleep(&more, NULL);
  return real(fd);
}
