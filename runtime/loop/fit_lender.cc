#include "troupe/runtime/loop/fit_lender.h"

#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/trial.h"

namespace troupe {
namespace {

/// Whether the module may emit it in the middle of a step.
bool comes_from_within(EventType type) {
  return type == Event::kUserEvent || type == Event::kHistogramLogged || type == Event::kImageLogged ||
         type == Event::kTextLogged;
}

}  // namespace

Live::Loan FitLender::loan(EventType about, const StepOutputs* outputs) {
  return {.module = training_.module(),
          .optimizers = training_.all_optimizers(),
          .run_trial =
              [this, about](const TrialOptions& options) { return run_trial(ground_for("run_trial", about), options); },
          .outputs = outputs,
          .forward_train_batches = [this, about] { run_forward_epoch(ground_for("forward_train_batches", about)); }};
}

TrialGround FitLender::ground_for(const std::string& what, EventType about) {
  const auto& info = event_info(about);
  if (info.transient || comes_from_within(about) || about == Event::kExceptionRaised || about == Event::kTornDown ||
      training_.loop().phase() == v1::LoopState::PHASE_FIT_START) {
    throw ConfigError(what + ": not allowed at " + std::string(info.name) +
                      ": allowed between two batches, at recorded events from FitStarted on");
  }
  if (!training_.automatic()) {
    throw ConfigError(what + ": the module optimises manually: it takes steps that could not be taken back");
  }
  TrialGround ground = optimization_.trial_ground(data_.train());
  ground.epoch = static_cast<int64_t>(training_.loop().epoch());
  ground.batches = data_.limits().train_batches;
  ground.batches_per_step = window_.batches_from_now();
  return ground;
}

}  // namespace troupe
