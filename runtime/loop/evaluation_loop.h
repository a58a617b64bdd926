#pragma once

#include <ATen/core/Tensor.h>
#include <troupe/v1/checkpoint.pb.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// What one evaluation gave.
struct EvaluationResult {
  std::vector<std::pair<std::string, double>> metrics;  ///< Means over the evaluation, sorted by name.
  /// On the CPU, one per batch, loader after loader; of predict only.
  std::vector<at::Tensor> predictions;
};

/// Runs the batches of one evaluation stage, in eval mode and without gradients; every submodule's mode is put back
/// afterwards. Also the validation inside a fit and its sanity check, which can be left and taken up again between two
/// batches.
class EvaluationLoop {
 public:
  /// `stage`: STAGE_VALIDATE, STAGE_SANITY_CHECK, STAGE_TEST or STAGE_PREDICT. Everything must outlive the loop.
  EvaluationLoop(Stage stage, Module& module, EventEmitter& emitter, Precision precision = Precision::k32)
      : stage_(stage), module_(module), emitter_(emitter), precision_(precision) {}

  /// Called after each batch, when its events are out, and before an evaluation goes on after one; may throw to leave.
  std::function<void()> on_batch_boundary;
  /// Told the metrics of each event that has any, just before it.
  std::function<void(const google::protobuf::RepeatedPtrField<Metric>&)> on_metrics;
  /// Called when a validation is over, just before its last event, which it may complete.
  std::function<void(ValidationEnded&)> before_end;

  /// Runs `batches[i]` batches of each `loaders[i]`, one after the other. `progress` says what is done already when it
  /// is `running`, with the start's events; it is kept up to date throughout.
  EvaluationResult run(const DataLoaders& loaders, const std::vector<int64_t>& batches,
                       v1::EvaluationProgress& progress);

 private:
  template <class Events>
  EvaluationResult run_stage(const DataLoaders& loaders, const std::vector<int64_t>& batches,
                             v1::EvaluationProgress& progress);
  template <class Events>
  void start(v1::EvaluationProgress& progress);
  template <class Events>
  void run_loader(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress);
  template <class Events>
  void run_batch(const Batch& batch, int64_t index, v1::EvaluationProgress& progress);
  template <class Events>
  void end(v1::EvaluationProgress& progress);
  void report_metrics(const google::protobuf::RepeatedPtrField<Metric>& metrics) const {
    if (on_metrics) {
      on_metrics(metrics);
    }
  }

  Stage stage_;
  Module& module_;
  EventEmitter& emitter_;
  Precision precision_;
  std::optional<ModuleContext> context_;
  MetricCollector collector_;
  EvaluationResult result_;
};

/// Names of the submodules that are in eval mode; the module itself is "".
std::vector<std::string> modules_in_eval_mode(const torch::nn::Module& module);
/// Puts these submodules into eval mode and every other one into train mode.
void set_modules_in_eval_mode(torch::nn::Module& module, const std::vector<std::string>& names);

}  // namespace troupe
