#pragma once

#include <doctest/doctest.h>

#include "troupe/runtime/checkpoint/checkpoint_file.h"

namespace troupe {

/// Checks that what was read is what was written, byte by byte.
inline void check_equal(const CheckpointData& data, const CheckpointParts& parts) {
  CHECK(data.header.run_id() == parts.header.run_id());
  CHECK(data.header.seq() == parts.header.seq());
  CHECK(data.header.position().SerializeAsString() == parts.header.position().SerializeAsString());
  REQUIRE(data.tensors.size() == parts.tensors.size());
  for (int i = 0; i < data.header.tensors_size(); ++i) {
    const auto& info = data.header.tensors(i);
    const auto& tensor = parts.tensors[static_cast<size_t>(i)];
    CHECK(info.name() == tensor.name);
    CHECK(info.dtype() == tensor.dtype);
    CHECK((std::vector<int64_t>(info.shape().begin(), info.shape().end()) == tensor.shape));
    CHECK(text_of(data.tensors[static_cast<size_t>(i)].view()) == text_of(tensor.bytes));
  }
  REQUIRE(data.training_state.has_value());
  CHECK(data.training_state->SerializeAsString() == parts.training_state.SerializeAsString());
  REQUIRE(data.callback_states.size() == parts.callback_states.size());
  for (size_t i = 0; i < parts.callback_states.size(); ++i) {
    CHECK(data.callback_states[i].SerializeAsString() == parts.callback_states[i].SerializeAsString());
  }
  CHECK(data.run_state.SerializeAsString() == parts.run_state.SerializeAsString());
}

}  // namespace troupe
