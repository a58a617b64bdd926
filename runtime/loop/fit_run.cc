#include "troupe/runtime/loop/fit_run.h"

#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/torch.h>

#include <iostream>
#include <optional>
#include <variant>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/loop/fit_facts.h"
#include "troupe/runtime/loop/fit_loop.h"
#include "troupe/runtime/loop/optimization.h"

namespace troupe {

FitRun::FitRun(std::shared_ptr<ModuleScope> scope, std::shared_ptr<DataLoader> train, DataLoaders validation,
               const TrainerOptions& options)
    : scope_(std::move(scope)),
      options_(options),
      training_(scope_->module(), options.seed),
      data_(std::move(train), std::move(validation), options) {
  require_options_for(training_, options_);
  if (options_.overfit_batches.value() > 0 && data_.train().disable_shuffle()) {
    std::cerr << "troupe: warning: 'overfit_batches' trains on the same batches in every epoch: the training loader no "
                 "longer shuffles\n";
  }
}

void FitRun::restore(const Snapshot& snapshot) {
  training_.restore(snapshot);
  data_.set_batch_size(training_.loop().epoch_batch_size());
}

v1::FitStarted FitRun::facts() {
  return fit_facts(training_, data_, options_);
}

RunResumed FitRun::resumed() {
  RunResumed resumed;
  *resumed.mutable_fit() = facts();
  resumed.mutable_fit()->clear_modules();
  resumed.set_accumulate_grad_batches(training_.loop().accumulate_grad_batches());
  resumed.set_batch_size(training_.loop().batch_size());
  return resumed;
}

RunOutcome FitRun::run(EventSink& sink, RunOpening opening, uint64_t elapsed_us) {
  if (const auto* opened = std::get_if<OpenedRun>(&opening)) {
    elapsed_us = opened->elapsed_us();
  }
  EventEmitter emitter(sink, elapsed_us);
  ModuleContext context(training_.module());
  context.set_emit(publish_through(emitter));
  if (training_.automatic()) {
    context.set_optimizer(training_.optimizer());
  }
  if (options_.barebones) {
    context.disable_logging();
  }
  std::optional<torch::autograd::DetectAnomalyGuard> anomalies;
  if (options_.detect_anomaly) {
    anomalies.emplace();
  }
  FitLoop loop(training_, data_, options_, emitter, context);
  try {
    const std::string checkpoint =
        std::holds_alternative<RunResumed>(opening) ? std::get<RunResumed>(opening).checkpoint() : "";
    run_framed(emitter, *scope_, std::move(opening), [&] { loop.run(checkpoint); });
  } catch (const Interrupted& interrupted) {
    return {v1::RUN_STATUS_INTERRUPTED, interrupted.reason, {}, {}, interrupted.signal};
  }
  return loop.outcome();
}

}  // namespace troupe
