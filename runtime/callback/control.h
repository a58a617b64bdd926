#pragma once

#include <troupe/v1/command.pb.h>

#include <string>
#include <vector>

#include "troupe/runtime/event/run_state.h"

namespace troupe {

/// What a controller's hook gets: the facts to decide on, and the commands it may give. The commands are collected and
/// applied together with those of the other controllers, right after all of them have answered. Valid only inside the
/// hook, on its thread.
class Control {
 public:
  explicit Control(const RunState& run, uint64_t elapsed_us = 0) : run_(run), elapsed_us_(elapsed_us) {}
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// The state exactly after the event that the hook was handed. All controllers of one event see the same.
  const RunState& run() const { return run_; }
  /// Microseconds that the run had run at the event, over all incarnations: the only clock that a decision may read.
  uint64_t elapsed_us() const { return elapsed_us_; }

  /// Votes to stop the run; it stops once min_epochs and min_steps allow, unless the vote is withdrawn before.
  void stop(std::string reason);
  /// Takes this callback's vote back. Without a vote it does nothing.
  void withdraw_stop();
  /// Sets the learning rate of one parameter group (its name as in FitStarted), or of every group when `group` is
  /// empty. A schedule scales from there on what it would have set by the same ratio.
  void set_learning_rate(double lr, std::string group = {});
  /// Sets the momentum (the first beta, where the optimizer has betas) of one group, or of all.
  void set_momentum(double momentum, std::string group = {});
  /// Batches per optimizer step, from the next accumulation window on.
  void set_accumulation(int64_t batches);
  /// Samples per training batch, from the next epoch on. Needs a loader that can.
  void set_batch_size(int64_t samples);
  /// Freezes parameters: from here on they take no gradient. `parameters` are names as in named_parameters(), or
  /// prefixes of them that end before a dot ("backbone").
  void freeze(const std::vector<std::string>& parameters);
  void unfreeze(const std::vector<std::string>& parameters);
  /// Ends the epoch after this batch, as if it had been its last.
  void skip_epoch(std::string reason = {});
  /// Training waits before the next batch until an operator, or a signal, lets it go on.
  void pause(std::string reason = {});
  /// Takes back a pause that another callback of this round, or an earlier one, asked for.
  void resume();
  /// Emits an event of the user's own, after this round's other commands (runtime/event/user_event.h makes it).
  void emit(v1::UserEvent event);
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
  /// The same as they leave the hook, with every text in them made UTF-8: they go into the log and into checkpoints.
  std::vector<v1::Command> take_commands();

 private:
  const RunState& run_;
  uint64_t elapsed_us_;
  std::vector<v1::Command> commands_;
};

}  // namespace troupe
