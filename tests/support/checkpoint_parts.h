#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "runtime/checkpoint_file.h"
#include "runtime/state_dict.h"

namespace troupe {

/// A checkpoint of three tensors (one of them empty), one callback and a bit of everything else.
struct SmallCheckpoint {
  std::vector<float> weight{1.0F, -2.0F, 0.5F, 0.25F, 3.0F, -0.125F};
  std::vector<uint8_t> rng{1, 2, 3};
  CheckpointParts parts;

  SmallCheckpoint() {
    parts.header.set_run_id("r1");
    parts.header.set_incarnation(1);
    parts.header.set_seq(42);
    parts.header.mutable_position()->set_stage(v1::STAGE_FIT);
    parts.header.mutable_position()->set_global_step(20);
    parts.tensors.push_back({"module.weight", v1::DTYPE_FLOAT32, {2, 3}, std::as_bytes(std::span(weight))});
    parts.tensors.push_back({"module.empty", v1::DTYPE_FLOAT32, {0, 3}, {}});
    parts.tensors.push_back({"rng.cpu", v1::DTYPE_UINT8, {3}, std::as_bytes(std::span(rng))});
    parts.training_state.set_seed(7);
    parts.training_state.mutable_loop()->set_global_step(20);
    StateDict state;
    state.set("best_score", 0.5);
    state.set("wait_count", 2);
    for (const char* key : {"EarlyStopping{monitor=val_loss}", "Timer"}) {
      auto& callback = parts.callback_states.emplace_back();
      callback.set_state_key(key);
      callback.set_seq(42);
      *callback.mutable_state() = state.proto();
    }
    parts.run_state.set_seq(42);
    parts.run_state.set_incarnation(1);
  }
};

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
