#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"

namespace troupe {

/// A run whose log a test writes event by event, as a loop with one epoch after the other would.
class WrittenRun {
 public:
  /// Starts with RunStarted, with this configuration.
  explicit WrittenRun(const std::string& config_json = "{}") {
    RunStarted started;
    started.set_stage(v1::STAGE_FIT);
    started.set_config_json(config_json);
    add(std::move(started));
    position.set_stage(v1::STAGE_FIT);
  }

  /// The event's seq.
  template <EventBody Body>
  uint64_t add(Body body) {
    Event& event = events.emplace_back();
    event.set_seq(++seq_);
    event.set_elapsed_us(seq_ * 1000);
    *event.mutable_position() = position;
    *EventTraits<Body>::mutable_body(event) = std::move(body);
    return event.seq();
  }

  void attach(const std::string& state_key, const std::string& type) {
    v1::CallbackAttached attached;
    attached.set_state_key(state_key);
    attached.set_type(type);
    add(std::move(attached));
  }

  /// FitStarted with a validation at the end of every epoch of two batches.
  void start_fit() {
    FitStarted fit;
    fit.set_train_batches(2);
    fit.set_validation_batches(1);
    fit.set_validates_at_epoch_end(true);
    fit.add_param_groups()->set_name("lr-SGD");
    fit.mutable_param_groups(0)->set_lr(0.1);
    add(std::move(fit));
  }

  /// Two batches, a validation with this val_loss, and the end of the epoch; the seq of that.
  uint64_t epoch(double val_loss) {
    add(v1::TrainEpochStarted());
    for (uint32_t batch = 0; batch < 2; ++batch) {
      position.set_batch_index(batch);
      position.set_global_step(position.global_step() + 1);
      add(v1::TrainBatchEnded());
    }
    Position before = position;
    position.set_stage(v1::STAGE_VALIDATE);
    v1::ValidationEpochEnded epoch_ended;
    epoch_ended.add_metrics()->set_name("val_loss");
    epoch_ended.mutable_metrics(0)->set_value(val_loss);
    v1::ValidationEnded ended;
    *ended.mutable_metrics() = epoch_ended.metrics();
    add(std::move(epoch_ended));
    add(std::move(ended));
    position = before;
    const uint64_t seq = add(v1::TrainEpochEnded());
    position.set_epoch(position.epoch() + 1);
    return seq;
  }

  /// What a callback commanded about that event, and the loop did.
  void applied(const std::string& from, uint64_t cause_seq, const v1::Command& command) {
    v1::CommandApplied applied;
    applied.set_from(from);
    applied.set_cause_seq(cause_seq);
    *applied.mutable_command() = command;
    add(std::move(applied));
  }

  void end(v1::RunStatus status, const std::string& reason) {
    v1::RunEnded ended;
    ended.set_status(status);
    ended.set_reason(reason);
    add(std::move(ended));
  }

  /// The run directory, with the log as far as it has been written here.
  const std::filesystem::path& write() {
    std::filesystem::remove_all(folder_.path() / "run");
    write_log(folder_.path() / "run" / "events", events);
    return run_;
  }
  /// An empty folder beside it.
  const std::filesystem::path& scratch() {
    std::filesystem::remove_all(scratch_);
    std::filesystem::create_directories(scratch_);
    return scratch_;
  }

  std::vector<Event> events;
  Position position;

 private:
  TemporaryFolder folder_;
  std::filesystem::path run_ = folder_.path() / "run";
  std::filesystem::path scratch_ = folder_.path() / "scratch";
  uint64_t seq_ = 0;
};

}  // namespace troupe
