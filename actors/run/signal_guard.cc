#include "troupe/actors/run/signal_guard.h"

#include <unistd.h>

#include <atomic>

namespace troupe {
namespace {

std::atomic<int> pending_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "the handler may use nothing else");

void handle(int signal) {
  if (pending_signal.exchange(signal) != 0) {
    _exit(128 + signal);
  }
}

}  // namespace

SignalGuard::SignalGuard(bool active) : active_(active) {
  if (!active_) {
    return;
  }
  pending_signal = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

SignalGuard::~SignalGuard() {
  if (active_) {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
    pending_signal = 0;
  }
}

int SignalGuard::pending() {
  return pending_signal.load(std::memory_order_relaxed);
}

}  // namespace troupe
