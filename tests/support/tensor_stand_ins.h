#pragma once

#include <cstdint>

#include "troupe/runtime/checkpoint/checkpoint_file.h"

/// What takes the place of LibTorch's tensors in a test program that does not link it.
namespace troupe {

struct StepOutputs {
  int64_t bytes = 0;
};

struct Snapshot {
  std::vector<float> weight;
};

/// As the Trainer has it for real ones: the tensor "weight", a training state, a place.
inline void add_stand_in(const Snapshot& snapshot, CheckpointParts& parts) {
  parts.tensors.push_back({"weight",
                           v1::DTYPE_FLOAT32,
                           {static_cast<int64_t>(snapshot.weight.size())},
                           std::as_bytes(std::span(snapshot.weight))});
  parts.training_state.set_seed(7);
}

}  // namespace troupe
