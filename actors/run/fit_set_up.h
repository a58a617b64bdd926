#pragma once

#include <memory>
#include <optional>

#include "troupe/actors/storage/checkpoint_finder.h"
#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/loop/fit_run.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// Module and data of a fit from their set-up to their teardown, the module's first. They must outlive it.
class FitSetUp {
 public:
  FitSetUp(Module& module, DataModule& data, TrainerOptions options);
  FitSetUp(const FitSetUp&) = delete;
  FitSetUp& operator=(const FitSetUp&) = delete;

  /// Calls what the program has for it, up to configure_optimizers. `found`: what the run goes on from; null: it
  /// begins. Throws ConfigError, and what the program throws.
  void run(const FoundCheckpoint* found);

  Module& module() { return module_; }
  /// Null until the module is set up.
  const std::shared_ptr<ModuleScope>& scope() const { return scope_; }
  /// After run().
  FitRun& fit_run() { return *fit_run_; }

  /// Trains, and tears down.
  RunOutcome fit(EventSink& sink, RunOpening opening, uint64_t elapsed_us);

 private:
  Module& module_;
  DataModule& data_;
  const TrainerOptions options_;
  std::optional<DataScope> data_scope_;
  std::shared_ptr<ModuleScope> scope_;
  std::optional<FitRun> fit_run_;
};

}  // namespace troupe
