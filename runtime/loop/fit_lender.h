#pragma once

#include <string>

#include "troupe/runtime/loop/accumulation_window.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/loop/optimization.h"
#include "troupe/runtime/loop/training.h"

namespace troupe {

/// What a fit lends to Live hooks: the module, the optimizers, and trials. On the loop's thread.
class FitLender {
 public:
  /// All must outlive it.
  FitLender(Training& training, const FitData& data, Optimization& optimization, const AccumulationWindow& window)
      : training_(training), data_(data), optimization_(optimization), window_(window) {}

  /// For one hook of an event of the type `about`.
  Live::Loan loan(EventType about, const StepOutputs* outputs);

 private:
  /// The ground for `what`, which is refused where it cannot be: a ConfigError.
  TrialGround ground_for(const std::string& what, EventType about);

  Training& training_;
  const FitData& data_;
  Optimization& optimization_;
  const AccumulationWindow& window_;
};

}  // namespace troupe
