#pragma once

#include <functional>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"

/// Every event that has a hook of Lightning's: X(hook, Message), sorted by hook.
#define TROUPE_LAMBDA_HOOKS(X)                         \
  X(on_after_backward, BackwardEnded)                  \
  X(on_before_backward, BackwardStarted)               \
  X(on_before_optimizer_step, OptimizerStepStarted)    \
  X(on_before_zero_grad, ZeroGradStarted)              \
  X(on_exception, ExceptionRaised)                     \
  X(on_fit_end, FitEnded)                              \
  X(on_fit_start, FitStarted)                          \
  X(on_load_checkpoint, CheckpointLoaded)              \
  X(on_predict_batch_end, PredictBatchEnded)           \
  X(on_predict_batch_start, PredictBatchStarted)       \
  X(on_predict_end, PredictEnded)                      \
  X(on_predict_epoch_end, PredictEpochEnded)           \
  X(on_predict_epoch_start, PredictEpochStarted)       \
  X(on_predict_start, PredictStarted)                  \
  X(on_sanity_check_end, SanityCheckEnded)             \
  X(on_sanity_check_start, SanityCheckStarted)         \
  X(on_save_checkpoint, CheckpointTaken)               \
  X(on_test_batch_end, TestBatchEnded)                 \
  X(on_test_batch_start, TestBatchStarted)             \
  X(on_test_end, TestEnded)                            \
  X(on_test_epoch_end, TestEpochEnded)                 \
  X(on_test_epoch_start, TestEpochStarted)             \
  X(on_test_start, TestStarted)                        \
  X(on_train_batch_end, TrainBatchEnded)               \
  X(on_train_batch_start, TrainBatchStarted)           \
  X(on_train_end, TrainEnded)                          \
  X(on_train_epoch_end, TrainEpochEnded)               \
  X(on_train_epoch_start, TrainEpochStarted)           \
  X(on_train_start, TrainStarted)                      \
  X(on_validation_batch_end, ValidationBatchEnded)     \
  X(on_validation_batch_start, ValidationBatchStarted) \
  X(on_validation_end, ValidationEnded)                \
  X(on_validation_epoch_end, ValidationEpochEnded)     \
  X(on_validation_epoch_start, ValidationEpochStarted) \
  X(on_validation_start, ValidationStarted)            \
  X(setup, SetUp)                                      \
  X(teardown, TornDown)

namespace troupe {

/// An observer that is made of functions: a member for each of Lightning's hooks, which is called with the hook's event
/// and the RunState exactly after it. Only the events of those that are set when it is added are delivered:
///
///   trainer.add(LambdaCallback{.on_train_epoch_end = [](const TrainEpochEnded&, const RunState& run) { ... }},
///   "name");
///
/// Members are in alphabetical order. Several LambdaCallbacks in one Trainer need names. They observe, on the
/// callback's thread; a function that decides is added with Trainer::on. What a function captures is copied for a
/// restart, and not kept in checkpoints.
struct LambdaCallback {
  template <class E>
  using Hook = std::function<void(const E& event, const RunState& run)>;

#define TROUPE_LAMBDA_MEMBER(hook, Message) Hook<Message> hook = {};
  TROUPE_LAMBDA_HOOKS(TROUPE_LAMBDA_MEMBER)
#undef TROUPE_LAMBDA_MEMBER

  /// Those whose function is set.
  EventTypeSet takes_events() const;

#define TROUPE_LAMBDA_ON(hook, Message)                \
  void on(const Message& event, const RunState& run) { \
    if (hook) {                                        \
      hook(event, run);                                \
    }                                                  \
  }
  TROUPE_LAMBDA_HOOKS(TROUPE_LAMBDA_ON)
#undef TROUPE_LAMBDA_ON
};

}  // namespace troupe
