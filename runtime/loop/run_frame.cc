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

void tear_down(EventEmitter& emitter, ModuleScope& scope) {
  scope.tear_down();
  TornDown torn_down;
  torn_down.set_stage(scope.stage());
  emitter.publish(std::move(torn_down));
}

/// Does what is left to do after a failure. What fails here is dropped: the first error is the one that says why.
template <class Action>
void try_to(const Action& action) {
  try {
    action();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

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

void run_framed(EventEmitter& emitter, ModuleScope& scope, RunOpening opening, const std::function<void()>& body) {
  emitter.position().set_stage(scope.stage());
  try {
    std::visit([&](auto& event) { emitter.publish(std::move(event)); }, opening);
    SetUp set_up;
    set_up.set_stage(scope.stage());
    emitter.publish(std::move(set_up));
    body();
    scope.tear_down();
  } catch (const Interrupted&) {
    tear_down(emitter, scope);
    throw;
  } catch (...) {
    const ExceptionRaised raised = current_exception_raised();
    try_to([&] { scope.module().on_exception(raised.message()); });
    try_to([&] { emitter.publish(raised); });
    try_to([&] { scope.tear_down(); });
    try_to([&] { tear_down(emitter, scope); });
    throw;
  }
  tear_down(emitter, scope);
}

}  // namespace troupe
