#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "troupe/runtime/data/data_loader.h"

namespace troupe {

class Training;

/// One optimizer step of a trial.
struct TrialStep {
  int64_t index = 0;         ///< From 0.
  double learning_rate = 0;  ///< Of the first group, as the step was made with.
  double loss = 0;           ///< What training_step gave, before the step: the mean over its batches; NaN for none.
  int64_t samples = 0;       ///< In its batches.
  int64_t batch_size = 0;    ///< Samples of its largest batch.
};

/// What to try.
struct TrialOptions {
  /// Sees every step when it has been made; false ends the trial.
  std::function<bool(const TrialStep&)> after_step = {};
  int64_t batch_size =
      0;  ///< Samples per batch; 0: as the training has. Needs a loader that can (DataLoader::another).
  /// The rate of every group for a step, counted from 0. None: the rates as they are; no schedule moves on.
  std::function<double(int64_t step)> learning_rate = {};
  int64_t steps = 100;  ///< Optimizer steps, at most.
};

struct TrialResult {
  std::vector<TrialStep> steps;
};

/// What the loop gives to a trial.
struct TrialGround {
  Training& training;
  const DataLoader& loader;
  int64_t epoch = 0;             ///< Whose batches are taken, from its first one on; then those of the next epochs.
  int64_t batches = 0;           ///< Of an epoch, at most; 0: all.
  int64_t batches_per_step = 1;  ///< The accumulation in force.
  std::function<at::Tensor(const Batch&, int64_t batch_index)> training_step = {};
  std::function<void()> zero_grad = {};
  std::function<void(const at::Tensor& loss)> backward = {};
  std::function<void()> step = {};  ///< With what is done between the backward pass and it.
};

/// Runs real training steps on the live module, and puts everything back bit for bit, also when something throws:
/// parameters, buffers, gradients, optimizers, schedules, random numbers, train and eval modes, and what the module
/// logged. Nothing is emitted: what the module logs and emits meanwhile goes nowhere. The training's own loader is not
/// touched. Plain members that training_step changes are the module's own to put back. The module's
/// hooks around the backward pass and the step run, those of batches do not. Throws ConfigError for options that make
/// no sense, and what the steps threw.
TrialResult run_trial(const TrialGround& ground, const TrialOptions& options);

/// Runs training_step on every batch of the epoch, in order, without gradients and steps, and puts random numbers, and
/// train and eval modes, back as they were, also when something throws. Submodules train as they do in the training, so
/// buffers change: that is what it is for. Nothing is emitted or logged, and the training's own loader is not touched.
/// Throws ConfigError when the loader cannot make another one of itself, and what training_step threw.
void run_forward_epoch(const TrialGround& ground);

}  // namespace troupe
