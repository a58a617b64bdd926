#include "runtime/run_frame.h"

#include <cxxabi.h>

#include <cstring>
#include <utility>

#include "runtime/callback.h"
#include "runtime/exception_text.h"

namespace troupe {
namespace {

/// The exception being handled, as an event. Call it inside a catch block only.
ExceptionRaised current_exception_raised() {
  ExceptionRaised raised;
  const auto* type = abi::__cxa_current_exception_type();
  raised.set_type(type == nullptr ? "unknown" : readable_type_name(*type));
  raised.set_message(current_exception_text());
  return raised;
}

void publish_torn_down(EventEmitter& emitter, Stage stage) {
  TornDown torn_down;
  torn_down.set_stage(stage);
  emitter.publish(std::move(torn_down));
}

/// Publishes after a failure. What fails here is dropped: the log or a controller is then what failed first, nobody is
/// left to tell, and the first error is the one that says why.
template <class Publish>
void try_to(const Publish& publish) {
  try {
    publish();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

InputRecorded input_of_signal(int signal) {
  InputRecorded input;
  input.set_signal(signal);
  input.set_from(signal_name(signal));
  return input;
}

void run_framed(EventEmitter& emitter, Stage stage, RunOpening opening, const std::function<void()>& body) {
  emitter.position().set_stage(stage);
  try {
    std::visit([&](auto& event) { emitter.publish(std::move(event)); }, opening);
    SetUp set_up;
    set_up.set_stage(stage);
    emitter.publish(std::move(set_up));
    body();
  } catch (const Interrupted&) {
    publish_torn_down(emitter, stage);
    throw;
  } catch (...) {
    const ExceptionRaised raised = current_exception_raised();
    try_to([&] { emitter.publish(raised); });
    try_to([&] { publish_torn_down(emitter, stage); });
    throw;
  }
  publish_torn_down(emitter, stage);
}

}  // namespace troupe
