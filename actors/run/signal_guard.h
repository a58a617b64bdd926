#pragma once

#include <csignal>

namespace troupe {

/// While it lives, SIGINT and SIGTERM ask the run to end at its next batch boundary; a second one ends the process at
/// once, with status 128 + its number. One at a time in a process; the handlers that were there before come back
/// afterwards.
class SignalGuard {
 public:
  /// With `active` false it does nothing.
  explicit SignalGuard(bool active);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  /// The signal that came, or 0.
  static int pending();

 private:
  bool active_;
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
};

}  // namespace troupe
