#pragma once

#include <ATen/core/Tensor.h>

#include "troupe/runtime/data/batch.h"

namespace troupe {

/// Tensors of one batch, beside the event of its end. Detached; never parameters or gradients. They are shared, so a
/// hook that keeps one keeps its memory, and one that writes to it must clone it first.
struct StepOutputs {
  Batch batch;
  at::Tensor loss;        ///< What training_step gave, detached; undefined elsewhere, and for a skipped batch.
  at::Tensor prediction;  ///< What predict_step gave; undefined elsewhere.

  /// Memory that they keep: what a lane's lane_bytes_max counts.
  int64_t bytes() const;
};

}  // namespace troupe
