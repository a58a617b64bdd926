#include "troupe/runtime/loop/run_frame.h"

#include <cxxabi.h>

#include <cstring>
#include <optional>
#include <utility>

#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/callback/exception_text.h"

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

/// Does what is left to do after a failure. What fails here is dropped: the first error is the one that says why.
template <class Action>
void try_to(const Action& action) {
  try {
    action();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

void publish_torn_down(EventEmitter& emitter, Stage stage) {
  TornDown torn_down;
  torn_down.set_stage(stage);
  emitter.publish(std::move(torn_down));
}

void tear_down(EventEmitter& emitter, ModuleScope& scope) {
  scope.tear_down();
  publish_torn_down(emitter, scope.stage());
}

/// Records the exception that is being handled and tears down what there is. `scope`: null where the module was not set
/// up.
void end_with_exception(EventEmitter& emitter, ModuleScope* scope, Stage stage) {
  const ExceptionRaised raised = current_exception_raised();
  if (scope != nullptr) {
    try_to([&] { scope->module().on_exception(raised.message()); });
  }
  try_to([&] { emitter.publish(raised); });
  if (scope != nullptr) {
    try_to([&] { scope->tear_down(); });
  }
  try_to([&] { publish_torn_down(emitter, stage); });
}

/// Refuses whatever controllers command from here on.
void refuse_commands(EventEmitter& emitter) {
  emitter.set_round_handler([&emitter](const Round& round, EventType /*about*/) {
    for (const auto& decision : round.decisions) {
      CommandRefused refused;
      refused.set_from(decision.from);
      refused.set_cause_seq(round.seq);
      *refused.mutable_command() = decision.command;
      refused.set_reason("the run failed while it was set up");
      emitter.publish(std::move(refused));
    }
  });
}

/// Emits the opening, or goes on with one that has been emitted.
struct Opener {
  EventEmitter& emitter;

  void operator()(OpenedRun& opened) const { emitter.conclude(std::move(opened.opening)); }
  template <class Opening>
  void operator()(Opening& event) const {
    emitter.publish(std::move(event));
  }
};

}  // namespace

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

Interrupted interrupted_by(int signal) {
  return {signal, "interrupted by " + signal_name(signal)};
}

Interrupted stopped_by_operator(const std::string& from, const std::string& reason) {
  return {0, "stopped by operator " + from + (reason.empty() ? "" : ": " + reason)};
}

InputRecorded input_of_signal(int signal) {
  InputRecorded input;
  input.set_signal(signal);
  input.set_from(signal_name(signal));
  return input;
}

ModuleScope::ModuleScope(Module& module, Stage stage, const std::string& device) : module_(module), stage_(stage) {
  const auto target = device.empty() ? std::nullopt : std::optional(find_device(device));
  module_.setup(stage_);
  if (target) {
    try {
      module_.to(*target);
    } catch (...) {  // It may have no room there.
      try_to([this] { tear_down(); });
      throw;
    }
  }
}

ModuleScope::~ModuleScope() {
  try_to([this] { tear_down(); });
}

void ModuleScope::tear_down() {
  if (std::exchange(is_up_, false)) {
    module_.teardown(stage_);
  }
}

DataScope::DataScope(DataModule& data, Stage stage) : data_(data), stage_(stage) {
  data_.prepare_data();
  data_.setup(stage_);
}

DataScope::~DataScope() {
  try_to([this] { tear_down(); });
}

void DataScope::tear_down() {
  if (std::exchange(is_up_, false)) {
    data_.teardown(stage_);
  }
}

OpenedRun open_run(EventSink& sink, RunStarted started, const std::shared_ptr<ModuleScope>& scope,
                   const std::function<void()>& set_up) {
  EventEmitter emitter(sink, 0);
  const Stage stage = started.stage();
  emitter.position().set_stage(stage);
  OpenedRun opened;
  try {
    auto event = emitter.make<RunStarted>();
    *event->mutable_run_started() = std::move(started);
    opened.opening = emitter.hand_over(std::move(event));
    set_up();
  } catch (...) {
    refuse_commands(emitter);
    try_to([&] {
      if (opened.opening.event) {
        emitter.conclude(std::move(opened.opening));
      }
    });
    end_with_exception(emitter, scope.get(), stage);
    throw;
  }
  return opened;
}

std::function<void(ModuleEvent)> publish_through(EventEmitter& emitter) {
  return [&emitter](ModuleEvent event) { std::visit([&](auto& body) { emitter.publish(std::move(body)); }, event); };
}

void run_framed(EventEmitter& emitter, ModuleScope& scope, RunOpening opening, const std::function<void()>& body) {
  emitter.position().set_stage(scope.stage());
  try {
    std::visit(Opener{emitter}, opening);
    SetUp set_up;
    set_up.set_stage(scope.stage());
    emitter.publish(std::move(set_up));
    body();
    scope.tear_down();
  } catch (const Interrupted&) {
    tear_down(emitter, scope);
    throw;
  } catch (...) {
    end_with_exception(emitter, &scope, scope.stage());
    throw;
  }
  tear_down(emitter, scope);
}

}  // namespace troupe
