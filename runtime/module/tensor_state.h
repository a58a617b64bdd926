#pragma once

#include <string_view>
#include <vector>

#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// Puts tensors under `name`, in their order, each with its name, type, shape and bytes: for what a callback or a
/// module keeps in a checkpoint beside parameters and buffers. They may be on any device. Names are UTF-8, each there
/// once. Throws ConfigError for a type that the format of checkpoints does not have. One state_dict has at most 2 GiB.
void set_tensors(StateDict& state, std::string_view name, const std::vector<NamedTensor>& tensors);

/// The tensors under `name`, bit for bit and in their order, on the CPU. Throws CorruptionError when there are none
/// under it, and when what says what they are does not fit their bytes.
std::vector<NamedTensor> get_tensors(const StateDict& state, std::string_view name);

}  // namespace troupe
