#pragma once

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/typed_callback.h"

namespace troupe::testing {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

struct LoggedMetric {
  std::string name;
  double value;
  bool prog_bar = false;
};
using LoggedMetrics = std::vector<LoggedMetric>;

/// A command as one line: "stop: ...", "withdraw_stop", "save checkpoints/a.ckpt (best)", "remove checkpoints/a.ckpt".
inline std::string describe(const v1::Command& command) {
  switch (command.command_case()) {
    case v1::Command::kStop:
      return "stop: " + command.stop().reason();
    case v1::Command::kWithdrawStop:
      return "withdraw_stop";
    case v1::Command::kSaveCheckpoint:
      return "save " + command.save_checkpoint().path() + (command.save_checkpoint().best() ? " (best)" : "");
    case v1::Command::kRemoveCheckpoint:
      return "remove " + command.remove_checkpoint().path();
    default:
      return command.ShortDebugString();
  }
}

/// A FitStarted that validates once at the end of every epoch.
inline FitStarted usual_fit() {
  FitStarted fit;
  fit.set_max_epochs(20);
  fit.set_max_steps(-1);
  fit.set_train_batches(10);
  fit.set_validation_batches(2);
  fit.set_validates_at_epoch_end(true);
  fit.set_log_every_n_steps(50);
  return fit;
}

/// Stands in for loop and relay around one callback: gives events their seq, folds them, hands them to the callback,
/// and folds what it commands.
class FakeRun {
 public:
  using Commands = std::vector<std::string>;

  template <class T>
  explicit FakeRun(std::shared_ptr<T> callback, RunState state = {})
      : callback_(make_callback(std::move(callback))), state_(std::move(state)), position_(state_.position()) {}

  /// RunStarted and FitStarted.
  Commands start_fit(FitStarted fit = usual_fit()) {
    RunStarted started;
    started.set_stage(v1::STAGE_FIT);
    send(started);
    position_.set_stage(v1::STAGE_FIT);
    return send(std::move(fit));
  }

  /// A training batch that takes an optimizer step.
  Commands train_batch(const LoggedMetrics& metrics = {}) {
    position_.set_global_step(position_.global_step() + 1);
    TrainBatchEnded ended;
    fill(ended, metrics);
    auto commands = send(ended);
    position_.set_batch_index(position_.batch_index() + 1);
    return commands;
  }

  /// A whole validation; what the callback commands at its end.
  Commands validate(const LoggedMetrics& metrics = {}, Stage stage = v1::STAGE_VALIDATE) {
    const Position before = position_;
    position_.set_stage(stage);
    ValidationEpochEnded epoch_ended;
    fill(epoch_ended, metrics);
    send(epoch_ended);
    ValidationEnded ended;
    fill(ended, metrics);
    auto commands = send(ended);
    position_ = before;
    return commands;
  }

  Commands end_epoch(const LoggedMetrics& metrics = {}) {
    TrainEpochEnded ended;
    fill(ended, metrics);
    auto commands = send(ended);
    position_.set_epoch(position_.epoch() + 1);
    position_.set_batch_index(0);
    return commands;
  }

  /// An epoch of `steps` steps: batches, a validation with these metrics where the fit has one, and the epoch's end.
  /// What was commanded.
  Commands epoch(const LoggedMetrics& metrics = {}, int steps = 10) {
    Commands all;
    const auto add = [&](const Commands& commands) { all.insert(all.end(), commands.begin(), commands.end()); };
    for (int i = 0; i < steps; ++i) {
      add(train_batch());
    }
    const bool validates = state_.fit().validation_batches() > 0;
    if (validates) {
      add(validate(metrics));
    }
    add(end_epoch(validates ? LoggedMetrics{} : metrics));
    return all;
  }

  /// Tells the callback of a resume: `saved` is loaded as from a checkpoint, then RunResumed follows.
  Commands resume(const StateDict& saved) {
    if (!saved.empty()) {
      callback_->load_state_dict(saved);
    }
    RunResumed resumed;
    resumed.set_incarnation(state_.incarnation() + 1);
    resumed.set_from_seq(state_.seq());
    return send(resumed);
  }

  /// Any event at the present position. What the callback commands.
  template <EventBody Body>
  Commands send(Body body) {
    Event event;
    *EventTraits<Body>::mutable_body(event) = std::move(body);
    apply(event);
    if (!callback_->info().controls[EventTraits<Body>::kType]) {
      callback_->observe({event, state_});
      return {};
    }
    const RunState seen = state_;
    Control control(seen, elapsed_us);
    callback_->control(event, control);
    Commands descriptions;
    for (const auto& command : control.commands()) {
      descriptions.push_back(describe(command));
      commands_.push_back(command);
      Event applied;
      applied.mutable_command_applied()->set_from(callback_->info().state_key);
      *applied.mutable_command_applied()->mutable_command() = command;
      apply(applied);
    }
    return descriptions;
  }

  Callback& callback() { return *callback_; }
  const RunState& state() const { return state_; }
  Position& position() { return position_; }
  uint64_t elapsed_us = 1;  ///< What the run has run, by its own account.
  /// Everything commanded so far.
  const std::vector<v1::Command>& commands() const { return commands_; }

 private:
  template <class Body>
  static void fill(Body& body, const LoggedMetrics& metrics) {
    for (const auto& logged : metrics) {
      auto* metric = body.add_metrics();
      metric->set_name(logged.name);
      metric->set_value(logged.value);
      metric->set_prog_bar(logged.prog_bar);
    }
  }

  void apply(Event& event) {
    if (!event_info(event.body_case()).transient) {
      event.set_seq(state_.seq() + 1);
    }
    event.set_elapsed_us(elapsed_us);
    *event.mutable_position() = position_;
    if (event.seq() != 0) {
      state_.apply(event);
    }
  }

  std::unique_ptr<Callback> callback_;
  RunState state_;
  Position position_;
  std::vector<v1::Command> commands_;
};

inline const FakeRun::Commands kNothing;

}  // namespace troupe::testing
