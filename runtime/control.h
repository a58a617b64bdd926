#pragma once

#include <troupe/v1/command.pb.h>

#include <string>
#include <vector>

#include "runtime/run_state.h"

namespace troupe {

/// What a controller's hook gets: the facts to decide on, and the commands it may give. The commands are collected and
/// applied together with those of the other controllers, right after all of them have answered. Valid only inside the
/// hook, on its thread.
class Control {
 public:
  explicit Control(const RunState& run) : run_(run) {}
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// The state exactly after the event that the hook was handed. All controllers of one event see the same.
  const RunState& run() const { return run_; }

  /// Votes to stop the run; it stops once min_epochs and min_steps allow, unless the vote is withdrawn before.
  void stop(std::string reason);
  /// Takes this callback's vote back. Without a vote it does nothing.
  void withdraw_stop();
  /// Sets the learning rate of one parameter group (its name as in FitStarted), or of every group when `group` is
  /// empty. A schedule scales from there on what it would have set by the same ratio.
  void set_learning_rate(double lr, std::string group = {});
  /// Adds a metric to the run's, as if the module had logged it.
  void log(std::string name, double value, bool prog_bar = false);
  /// From here on the loop logs the learning rates as metrics.
  void log_learning_rates(const v1::LogLearningRates& how);
  /// Saves the state exactly as it is after this round's other commands.
  void save_checkpoint(const v1::SaveCheckpoint& what);
  /// Removes a checkpoint file once every checkpoint asked for before is durable.
  void remove_checkpoint(std::string path);

  /// The commands given so far, in order.
  const std::vector<v1::Command>& commands() const { return commands_; }

 private:
  const RunState& run_;
  std::vector<v1::Command> commands_;
};

}  // namespace troupe
