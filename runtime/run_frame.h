#pragma once

#include <functional>
#include <string>
#include <variant>

#include "runtime/event_emitter.h"

namespace troupe {

/// The first event of a process's part of a run.
using RunOpening = std::variant<RunStarted, RunResumed>;

/// Thrown at a batch boundary when a signal asks the run to end; its checkpoint, if any, has been taken.
struct Interrupted {
  int signal;
};

/// "SIGTERM" for 15.
std::string signal_name(int signal);

/// The event that records a signal before it takes effect.
InputRecorded input_of_signal(int signal);

/// What happens around every run: the opening, SetUp, then `body`; ExceptionRaised when it throws (but not for
/// Interrupted), and TornDown whatever happened. What `body` threw is what the caller gets.
void run_framed(EventEmitter& emitter, Stage stage, RunOpening opening, const std::function<void()>& body);

}  // namespace troupe
