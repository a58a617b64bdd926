#pragma once

#include "runtime/checkpoint_file.h"
#include "runtime/snapshot.h"

namespace troupe {

/// A tensor of a snapshot as the checkpoint writer takes it; valid as long as the tensor. Throws ConfigError for a
/// dtype that the format does not have.
TensorView view_tensor(const NamedTensor& named);

/// A verified checkpoint as a snapshot. The tensors take over the buffers; `data` has none afterwards.
Snapshot to_snapshot(CheckpointData& data);

}  // namespace troupe
