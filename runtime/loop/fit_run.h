#pragma once

#include <memory>
#include <utility>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/event/event_sink.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/loop_rules.h"
#include "troupe/runtime/loop/run_frame.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// A run of a fit: the module set up, its training taken up from a snapshot where there is one, then the loop
/// (fit_loop.h) between the run's first events and its last. It runs on the thread that calls run() and speaks to
/// everything else through an EventSink, so it is tested without actors.
class FitRun {
 public:
  /// Configures the optimizers of the module, which is set up. Everything must outlive the run. Throws ConfigError.
  FitRun(std::shared_ptr<ModuleScope> scope, std::shared_ptr<DataLoader> train, DataLoaders validation,
         const TrainerOptions& options);
  /// Sets the module up itself.
  FitRun(Module& module, std::shared_ptr<DataLoader> train, DataLoaders validation, const TrainerOptions& options)
      : FitRun(std::make_shared<ModuleScope>(module, v1::STAGE_FIT, options.device), std::move(train),
               std::move(validation), options) {}
  /// With one validation loader, or none (null).
  FitRun(Module& module, std::shared_ptr<DataLoader> train, const std::shared_ptr<DataLoader>& validation,
         const TrainerOptions& options)
      : FitRun(module, std::move(train), validation ? DataLoaders{validation} : DataLoaders(), options) {}

  /// Takes the run up where `snapshot` left it. Throws MismatchError.
  void restore(const Snapshot& snapshot);

  /// The facts of this fit: what FitStarted holds.
  v1::FitStarted facts();
  /// RunResumed with what it says of the fit, after restore().
  RunResumed resumed();

  /// Runs to the end. `elapsed_us`: what the run had run before. Throws what the module, the data, the sink or a
  /// controller threw.
  RunOutcome run(EventSink& sink, RunOpening opening, uint64_t elapsed_us = 0);

  Training& training() { return training_; }

 private:
  std::shared_ptr<ModuleScope> scope_;
  const TrainerOptions& options_;
  Training training_;
  FitData data_;
};

}  // namespace troupe
