#include "troupe/callbacks/guarding/nan_guard.h"

#include <torch/torch.h>

#include "troupe/callbacks/common/step_gradients.h"
#include "troupe/runtime/event/user_event.h"

namespace troupe {
namespace {

/// The submodule that has a tensor; empty for the module itself.
std::string owner_of(const std::string& tensor) {
  const auto dot = tensor.rfind('.');
  return dot == std::string::npos ? std::string() : tensor.substr(0, dot);
}

template <class Named>
NamedTensors named_tensors(const Named& items) {
  NamedTensors tensors;
  for (const auto& item : items) {
    tensors.emplace_back(item.key(), item.value());
  }
  return tensors;
}

}  // namespace

void NanGuardOptions::describe(OptionVisitor& visit) {
  visit("action", action, "On gradients that are not finite: stop the run, or go on without the step (skip_step).");
  visit("check_parameters", check_parameters, "Look at parameters and buffers after each step, too.");
  visit("every_n_steps", every_n_steps, "Optimizer steps between two that are looked at.").at_least(1);
  visit("max_consecutive_skips", max_consecutive_skips,
        "Steps in a row that skip_step leaves out before the run stops; 0: no limit.")
      .at_least(0);
}

NanGuard::NanGuard(NanGuardOptions options) : options_(options) {
  check_options("NanGuard", options_);
}

std::vector<AskWhen> NanGuard::ask_when() const {
  return {troupe::ask_when<OptimizerStepStarted>({.during_every_n_steps = options_.every_n_steps}),
          troupe::ask_when<TrainBatchEnded>({.every_n_steps = options_.every_n_steps})};
}

void NanGuard::on(const FitStarted& /*event*/, Control& /*control*/) {
  tally_ = {};
  found_gradient_ = false;
}

void NanGuard::on(const RunResumed& /*event*/, Control& control) {
  found_gradient_ = false;
  if (tally_.stop_reason.empty()) {
    return;
  }
  if (tally_.stop_is_final || options_.action == NanAction::kStop) {
    control.stop(tally_.stop_reason);
  } else {
    tally_.stop_reason.clear();
  }
}

void NanGuard::on(const OptimizerStepStarted& event, Live& live) {
  auto gradients = step_gradients(live, event.optimizer());
  NamedTensors tensors;
  for (const auto& found : gradients) {
    tensors.emplace_back(found.name, found.gradient);
  }
  const auto names = non_finite_names(tensors);
  found_gradient_ = !names.empty();
  if (names.empty()) {
    tally_.consecutive_skips = 0;
    return;
  }
  for (auto& found : gradients) {
    found.parameter.mutable_grad().reset();
  }
  ++tally_.skipped;
  ++tally_.consecutive_skips;
  tally_.stop_is_final = tally_.stop_is_final || skipped_too_often();
  const bool stops = options_.action == NanAction::kStop || skipped_too_often();
  report(live.control(), "gradient", names, stops ? Verdict::kStop : Verdict::kSkipStep);
}

bool NanGuard::skipped_too_often() const {
  return options_.action == NanAction::kSkipStep && options_.max_consecutive_skips > 0 &&
         tally_.consecutive_skips > options_.max_consecutive_skips;
}

void NanGuard::on(const TrainBatchEnded& /*event*/, Live& live) {
  if (!found_gradient_) {  // Else the loss has been told of by its gradients.
    check_loss(live);
  }
  found_gradient_ = false;
  if (options_.check_parameters && !tally_.stop_is_final) {  // Told once.
    check_state(live);
  }
}

void NanGuard::check_loss(Live& live) {
  const StepOutputs* outputs = live.outputs();
  if (outputs != nullptr && outputs->loss.defined() && !non_finite_names({{"loss", outputs->loss}}).empty()) {
    report(live.control(), "loss", {"loss"}, options_.action == NanAction::kStop ? Verdict::kStop : Verdict::kNone);
  }
}

void NanGuard::check_state(Live& live) {
  const auto check = [&](std::string_view kind, const NamedTensors& tensors) {
    if (const auto names = non_finite_names(tensors); !names.empty()) {
      tally_.stop_is_final = true;
      report(live.control(), kind, names, Verdict::kStop);
    }
  };
  check("parameter", named_tensors(live.module().named_parameters()));
  check("buffer", named_tensors(live.module().named_buffers()));
}

void NanGuard::report(Control& control, std::string_view kind, const std::vector<std::string>& names, Verdict verdict) {
  const std::string& first = names.front();
  const char* action = verdict == Verdict::kStop ? "stop" : verdict == Verdict::kSkipStep ? "skip_step" : "none";
  control.emit(make_user_event("NonFiniteFound", {{"action", std::string(action)},
                                                  {"kind", std::string(kind)},
                                                  {"module", owner_of(first)},
                                                  {"tensor", first},
                                                  {"tensors", static_cast<int64_t>(names.size())}}));
  if (verdict == Verdict::kStop) {
    tally_.stop_reason = kind == "loss" ? "the loss is not finite" : std::string(kind) + " " + first + " is not finite";
    control.stop(tally_.stop_reason);
  }
}

StateDict NanGuard::state_dict() const {
  StateDict state;
  state.set("skipped_steps", tally_.skipped);
  state.set("consecutive_skips", tally_.consecutive_skips);
  state.set("stop_reason", tally_.stop_reason);
  state.set("stop_is_final", tally_.stop_is_final);
  return state;
}

void NanGuard::load_state_dict(const StateDict& state) {
  tally_.skipped = state.get_int("skipped_steps");
  tally_.consecutive_skips = state.get_int("consecutive_skips");
  tally_.stop_reason = state.get_string("stop_reason");
  tally_.stop_is_final = state.get_bool("stop_is_final");
}

}  // namespace troupe
