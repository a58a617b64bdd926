#pragma once

#include <filesystem>
#include <functional>

#include "troupe/runtime/checkpoint/checkpoint_file.h"

namespace troupe {

/// Reads a checkpoint, lets `change` change what it is made of, and writes it again under its name.
inline void rewrite_checkpoint(const std::filesystem::path& file, const std::function<void(CheckpointParts&)>& change) {
  const CheckpointData data = read_checkpoint(file);
  CheckpointParts parts;
  parts.header = data.header;
  parts.training_state = *data.training_state;
  parts.callback_states = data.callback_states;
  parts.run_state = data.run_state;
  for (int i = 0; i < data.header.tensors_size(); ++i) {
    const auto& info = data.header.tensors(i);
    parts.tensors.push_back({info.name(),
                             info.dtype(),
                             {info.shape().begin(), info.shape().end()},
                             data.tensors[static_cast<size_t>(i)].view()});
  }
  parts.header.clear_tensors();
  change(parts);
  write_checkpoint(file, parts);
}

}  // namespace troupe
