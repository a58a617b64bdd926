#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensor_stand_ins.h"
#include "troupe/actors/run/run_system.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/typed_callback.h"
#include "troupe/runtime/log/event_history.h"

namespace troupe {

/// Stands in for the loop around the actors of one run.
class ActorRun {
 public:
  template <class T>
  std::shared_ptr<CallbackSlot<T>> add(T callback, CallbackPolicy policy = {}) {
    auto slot = std::make_shared<CallbackSlot<T>>(CallbackSlot<T>{std::make_shared<T>(std::move(callback))});
    config_.callbacks.push_back(make_callback(slot, {}, policy));
    return slot;
  }

  void start() {
    config_.log = std::make_shared<EventLogWriter>(folder_.path() / "events");
    config_.checkpoints.run_directory = folder_.path();
    config_.checkpoints.run_id = "r1";
    config_.checkpoints.add_snapshot = [this](Snapshot& snapshot, CheckpointParts& parts) {
      while (stalls_until_awaited && system_->checkpoint_waits() == 0) {
        std::this_thread::yield();
      }
      add_stand_in(snapshot, parts);
    };
    config_.bytes_of = [](const StepOutputs& outputs) { return outputs.bytes; };
    config_.inbox = inbox_;
    system_ = std::make_unique<RunSystem>(std::move(config_));
    emit(run_started_event());
  }

  void emit(Event event) { system_->emit(fresh(std::move(event)), nullptr); }
  void batch(std::shared_ptr<const StepOutputs> outputs = nullptr) { system_->emit(fresh_batch(), std::move(outputs)); }
  Round ask_batch() {
    auto event = fresh_batch();
    CHECK(system_->asks(*event));
    return system_->ask(std::move(event), nullptr);
  }
  std::shared_ptr<Event> fresh_batch() { return fresh(batch_event(0, ++step_)); }
  /// Hands an event over, and what is lent for it to `hook`.
  void lend(const std::shared_ptr<Event>& event, const std::function<void()>& hook,
            const std::function<void(const Round&)>& apply) {
    CHECK_FALSE(system_->asks(*event));
    system_->emit(event, nullptr);
    system_->lend(
        event,
        [&](Callback& /*callback*/, const RunState& /*state*/) {
          hook();
          return std::vector<v1::Command>();
        },
        apply);
  }
  void checkpoint(const std::string& path) {
    Event taken;
    taken.mutable_checkpoint_taken()->set_path(path);
    system_->await_checkpoint_slot(path);
    system_->take_checkpoint(fresh(std::move(taken)), std::make_shared<Snapshot>(Snapshot{{1.0F, 2.0F}}), false);
  }
  /// What the actors are made of, until start().
  RunSystemConfig& config() { return config_; }
  /// The first checkpoint is not written before the loop waits for it.
  std::atomic<bool> stalls_until_awaited = false;

  RunState finish() { return system_->finish(v1::RUN_STATUS_FINISHED, "done"); }

  RunSystem& system() { return *system_; }
  OperatorInbox& inbox() { return *inbox_; }
  std::filesystem::path path() const { return folder_.path(); }
  std::shared_ptr<Event> fresh(Event event) {
    event.set_seq(0);
    event.set_elapsed_us(++elapsed_us_);
    event.mutable_position()->set_stage(v1::STAGE_FIT);
    event.mutable_position()->set_global_step(step_);
    return std::make_shared<Event>(std::move(event));
  }

 private:
  TemporaryFolder folder_;
  RunSystemConfig config_;
  std::shared_ptr<OperatorInbox> inbox_ = std::make_shared<OperatorInbox>();
  std::unique_ptr<RunSystem> system_;
  uint64_t step_ = 0;
  uint64_t elapsed_us_ = 0;
};

/// Counts batches, and is right only if it gets each of them once and in order.
struct StepCounter {
  int64_t batches = 0;
  bool in_order = true;

  void on(const TrainBatchEnded& /*event*/, const RunState& run) {
    ++batches;
    in_order = in_order && run.global_step() == static_cast<uint64_t>(batches);
  }
  StateDict state_dict() const {
    StateDict state;
    state.set("batches", batches);
    return state;
  }
  void load_state_dict(const StateDict& state) { batches = state.get_int("batches"); }
};

/// Every event of the run's log.
inline std::vector<Event> logged_events(const std::filesystem::path& run_directory) {
  EventHistory history(run_directory / "events");
  std::vector<Event> events;
  for (Event event; history.next(event);) {
    events.push_back(std::move(event));
  }
  return events;
}

/// `callbacks`: of RunEnded or CallbackHealthReported.
inline const v1::CallbackHealth& health_of(const google::protobuf::RepeatedPtrField<v1::CallbackHealth>& callbacks,
                                           const std::string& state_key) {
  for (const auto& health : callbacks) {
    if (health.state_key() == state_key) {
      return health;
    }
  }
  throw std::runtime_error("no health of " + state_key);
}

}  // namespace troupe
