#pragma once

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

}  // namespace troupe
