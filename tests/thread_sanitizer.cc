/// Linked where SANITIZE=thread.

/// ThreadSanitizer does not know that what epoll_ctl(EPOLL_CTL_MOD) arms comes back from epoll_wait in another thread,
/// which then may close it. Compiled in, for a program whose unit shows it no file of ours.
extern "C" const char* __tsan_default_suppressions() {
  return "race:epoll_ctl\n";
}
