#pragma once

#include <cstdint>
#include <vector>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/state/state_dict.h"

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

/// A checkpoint with everything that a fit can put into one: taken inside an accumulation window, in the middle of a
/// round, with a schedule, a plateau, commanded rates and state of the module's and the data module's own.
struct FullCheckpoint : SmallCheckpoint {
  std::vector<double> average{0.125, -0.5};
  std::vector<int64_t> batches{3};

  FullCheckpoint() {
    auto& header = parts.header;
    header.set_elapsed_us(1500000);
    header.mutable_position()->set_epoch(1);
    header.mutable_position()->set_batch_index(3);
    header.mutable_environment()->set_libtorch_version("1.13.1");
    header.mutable_environment()->set_intra_op_threads(1);
    parts.tensors.push_back({"module.norm.batches", v1::DTYPE_INT64, {}, std::as_bytes(std::span(batches))});
    parts.tensors.push_back({"optimizer.0.weight.exp_avg", v1::DTYPE_FLOAT64, {2}, std::as_bytes(std::span(average))});
    parts.tensors.push_back({"gradient.weight", v1::DTYPE_FLOAT32, {2, 3}, std::as_bytes(std::span(weight))});
    add_loop();
    add_optimizer();
    auto& training = parts.training_state;
    training.add_modules_in_eval_mode("backbone");
    training.add_frozen_parameters("backbone.weight");
    StateDict module_state;
    module_state.set("words", std::vector<std::string>{"a", "b"});
    module_state.set_bytes("raw", std::string("\xff\x00", 2));
    *training.mutable_module_state() = module_state.proto();
    StateDict data_state;
    data_state.set("shard", 3);
    *training.mutable_data_state() = data_state.proto();
  }

 private:
  void add_loop() {
    auto& loop = *parts.training_state.mutable_loop();
    loop.set_phase(v1::LoopState::PHASE_BATCH_ENDED);
    loop.set_epoch(1);
    loop.set_batches_done(4);
    loop.set_total_batches(12);
    loop.set_accumulated_batches(1);
    loop.set_window_batches(2);
    loop.set_accumulate_grad_batches(2);
    loop.set_epochs_completed(1);
    loop.set_validations(1);
    loop.set_train_started(true);
    loop.add_emitted_learning_rates(0.05);
    loop.add_epoch_momenta(0.9);
    auto& metric = *loop.add_epoch_metrics();
    metric.set_name("loss");
    metric.set_weighted_sum(1.5);
    metric.set_weight(16);
    auto& latest = *loop.add_latest_metrics();
    latest.set_name("val_loss");
    latest.set_value(0.75);
    auto& decision = *loop.mutable_pending()->add_decisions();
    decision.set_from("EarlyStopping{monitor=val_loss}");
    decision.mutable_command()->mutable_stop()->set_reason("enough");
    loop.mutable_pending()->set_cause_seq(41);
    loop.mutable_pending()->set_saves(1);
  }

  void add_optimizer() {
    auto& optimizer = *parts.training_state.add_optimizers();
    optimizer.set_type("Adam");
    optimizer.set_schedule_step(20);
    optimizer.set_schedule_units(20);
    optimizer.mutable_plateau()->set_best(0.75);
    optimizer.mutable_plateau()->set_bad_checks(2);
    auto& group = *optimizer.add_groups();
    group.add_parameters("weight");
    StateDict options;
    options.set("lr", 0.05);
    options.set("amsgrad", false);
    *group.mutable_options() = options.proto();
    group.set_base_lr(0.1);
    group.set_lr_factor(0.5);
    group.set_momentum_commanded(true);
    auto& parameter = *optimizer.add_parameters();
    parameter.set_parameter("weight");
    StateDict scalars;
    scalars.set("step", 20);
    *parameter.mutable_scalars() = scalars.proto();
  }
};

}  // namespace troupe
