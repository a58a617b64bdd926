#pragma once

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// The type of a tensor's elements. Throws ConfigError for one that the format does not have.
v1::DType to_dtype(const NamedTensor& named);

/// A tensor of its own with these bytes, which may lie at any alignment.
at::Tensor to_tensor(const TensorView& view);

/// A tensor of a snapshot as the checkpoint writer takes it; valid as long as the tensor. Throws ConfigError for a
/// dtype that the format does not have.
TensorView view_tensor(const NamedTensor& named);

/// Throws ConfigError, with the name of the tensor or submodule, unless checkpoints can hold the module: every
/// parameter and buffer on the CPU or a CUDA device, dense, of a dtype that the format has, and named in UTF-8.
void require_storable(const torch::nn::Module& module);

/// Adds tensors, training state and place of a snapshot to a checkpoint, when all of it is there. Its tensors then are
/// the snapshot's; the training state is moved, since it may be large too (of a checkpoint of weights only, the
/// module's part of it goes into the header). Throws as view_tensor.
void add_snapshot(Snapshot& snapshot, CheckpointParts& parts);

/// A verified checkpoint as a snapshot. The tensors take over the buffers; `data` has none afterwards.
Snapshot to_snapshot(CheckpointData& data);

}  // namespace troupe
