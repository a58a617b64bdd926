#pragma once

#include "runtime/checkpoint_file.h"
#include "runtime/snapshot.h"

namespace troupe {

/// The type of a tensor's elements. Throws ConfigError for one that the format does not have.
v1::DType to_dtype(const NamedTensor& named);

/// A tensor of its own with these bytes, which may lie at any alignment.
at::Tensor to_tensor(const TensorView& view);

/// A tensor of a snapshot as the checkpoint writer takes it; valid as long as the tensor. Throws ConfigError for a
/// dtype that the format does not have.
TensorView view_tensor(const NamedTensor& named);

/// Adds tensors, training state and place of a snapshot to a checkpoint, whose tensors then are the snapshot's. Throws
/// as view_tensor.
void add_snapshot(const Snapshot& snapshot, CheckpointParts& parts);

/// A verified checkpoint as a snapshot. The tensors take over the buffers; `data` has none afterwards.
Snapshot to_snapshot(CheckpointData& data);

}  // namespace troupe
