// What commands that were applied change in the RunState.
#include <algorithm>

#include "troupe/runtime/base/own.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/options/parameter_name.h"

namespace troupe {

void RunState::apply_command(const CommandApplied& applied) {
  const auto& command = applied.command();
  switch (command.command_case()) {
    case v1::Command::kStop:
      own(votes_)[applied.from()] = command.stop().reason();
      break;
    case v1::Command::kWithdrawStop:
      own(votes_).erase(applied.from());
      break;
    case v1::Command::kLogMetric:
      set_metric(command.log_metric().name(), command.log_metric().value(), command.log_metric().prog_bar());
      break;
    case v1::Command::kSetLearningRate:
      for (auto& rate : own(learning_rates_)) {
        if (command.set_learning_rate().group().empty() || command.set_learning_rate().group() == rate.name()) {
          rate.set_value(command.set_learning_rate().lr());
        }
      }
      break;
    default:
      apply_setting(command);
  }
}

void RunState::apply_setting(const v1::Command& command) {
  switch (command.command_case()) {
    case v1::Command::kSetMomentum:
      for (auto& group : *own(fit_).mutable_param_groups()) {
        if (command.set_momentum().group().empty() || command.set_momentum().group() == group.name()) {
          group.set_momentum(command.set_momentum().momentum());
        }
      }
      break;
    case v1::Command::kSetAccumulation:
      accumulate_grad_batches_ = command.set_accumulation().batches();
      break;
    case v1::Command::kSetBatchSize:
      batch_size_ = command.set_batch_size().samples();
      break;
    case v1::Command::kSetFrozen:
      set_frozen(command.set_frozen());
      break;
    case v1::Command::kPause:
    case v1::Command::kResume:
      paused_ = command.has_pause();
      break;
    default:
      break;
  }
}

void RunState::set_frozen(const v1::SetFrozen& command) {
  auto& names = own(frozen_parameters_);
  for (const auto& given : command.parameters()) {
    std::erase_if(names, [&](const std::string& name) { return names_parameter(given, name); });
    if (command.frozen()) {
      names.insert(std::upper_bound(names.begin(), names.end(), given), given);
    }
  }
}

}  // namespace troupe
