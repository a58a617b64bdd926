#include "troupe/runtime/file/file_size_signal.h"

#include <csignal>
#include <mutex>

namespace troupe {
namespace {

std::mutex guards_mutex;
int guards_alive = 0;
bool guards_ignore = false;  // The default was there when the first one came.

/// Puts `to` in the place of `from`; whether that is what was there.
bool exchange_disposition(void (*from)(int), void (*to)(int)) {
  struct sigaction found {};
  sigaction(SIGXFSZ, nullptr, &found);
  if ((found.sa_flags & SA_SIGINFO) != 0 || found.sa_handler != from) {
    return false;
  }
  struct sigaction wanted {};
  wanted.sa_handler = to;
  sigemptyset(&wanted.sa_mask);
  return sigaction(SIGXFSZ, &wanted, nullptr) == 0;
}

}  // namespace

FileSizeSignalGuard::FileSizeSignalGuard() {
  const std::lock_guard lock(guards_mutex);
  if (guards_alive++ == 0) {
    guards_ignore = exchange_disposition(SIG_DFL, SIG_IGN);
  }
}

FileSizeSignalGuard::~FileSizeSignalGuard() {
  const std::lock_guard lock(guards_mutex);
  if (--guards_alive == 0 && guards_ignore) {
    exchange_disposition(SIG_IGN, SIG_DFL);
  }
}

}  // namespace troupe
