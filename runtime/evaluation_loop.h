#pragma once

#include <ATen/core/Tensor.h>
#include <troupe/v1/checkpoint.pb.h>

#include <functional>
#include <string>
#include <vector>

#include "runtime/data_loader.h"
#include "runtime/event_emitter.h"
#include "runtime/module.h"

namespace troupe {

/// What one evaluation gave.
struct EvaluationResult {
  std::vector<std::pair<std::string, double>> metrics;  ///< Means over the evaluation, sorted by name.
  std::vector<at::Tensor> predictions;                  ///< On the CPU, one per batch; of predict only.
};

/// Runs the batches of one evaluation stage, in eval mode and without gradients; every submodule's mode is put back
/// afterwards. Also the validation inside a fit and its sanity check, which can be left and taken up again between two
/// batches.
class EvaluationLoop {
 public:
  /// `stage`: STAGE_VALIDATE, STAGE_SANITY_CHECK, STAGE_TEST or STAGE_PREDICT. Everything must outlive the loop.
  EvaluationLoop(Stage stage, Module& module, EventEmitter& emitter)
      : stage_(stage), module_(module), emitter_(emitter) {}

  /// Called after each batch, when its events are out; may throw to leave.
  std::function<void()> on_batch_boundary;
  /// Called when the evaluation is over, just before its last event.
  std::function<void()> before_end;

  /// Runs `batches` batches of `loader`. `progress.batches_done` of them and the start's events are taken as done when
  /// `progress.running` is set; it is kept up to date throughout.
  EvaluationResult run(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress);

 private:
  template <class Events>
  EvaluationResult run_stage(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress);

  Stage stage_;
  Module& module_;
  EventEmitter& emitter_;
};

/// Names of the submodules that are in eval mode; the module itself is "".
std::vector<std::string> modules_in_eval_mode(const torch::nn::Module& module);
/// Puts these submodules into eval mode and every other one into train mode.
void set_modules_in_eval_mode(torch::nn::Module& module, const std::vector<std::string>& names);

}  // namespace troupe
