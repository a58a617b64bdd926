#include "troupe/runtime/loop/command_refusals.h"

#include <cmath>
#include <string>

#include "troupe/runtime/loop/inputs.h"
#include "troupe/runtime/loop/loop_rules.h"

namespace troupe {
namespace {

constexpr char kCheckpointExtension[] = ".ckpt";

/// Whether LoopState tells where to go on from just after this event.
bool resumable_after(EventType type) {
  switch (type) {
    case Event::kTrainEpochStarted:
    case Event::kTrainBatchEnded:
    case Event::kValidationEpochStarted:
    case Event::kValidationBatchEnded:
    case Event::kValidationEnded:
    case Event::kTrainEpochEnded:
    case Event::kTrainEnded:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string CommandRefusals::refusal(const Decision& decision, EventType about) const {
  const auto& command = decision.command;
  switch (command.command_case()) {
    case v1::Command::kSaveCheckpoint:
    case v1::Command::kRemoveCheckpoint:
      return checkpoint_refusal(decision, about);
    case v1::Command::kSetLearningRate: {
      const double lr = command.set_learning_rate().lr();
      return lr >= 0 && std::isfinite(lr) ? group_refusal(command.set_learning_rate().group())
                                          : "a learning rate must be finite and at least 0, got " + std::to_string(lr);
    }
    case v1::Command::kSetMomentum: {
      const auto& set = command.set_momentum();
      const auto reason = group_refusal(set.group());
      return reason.empty() ? training_.momentum_refusal(set.momentum(), set.group()) : reason;
    }
    case v1::Command::kSetAccumulation:
      if (!training_.automatic()) {
        return "the module optimises manually";
      }
      return command.set_accumulation().batches() > 0 ? "" : "batches per optimizer step must be at least 1";
    case v1::Command::kSetBatchSize:
      return data_.batch_size_refusal(command.set_batch_size().samples());
    case v1::Command::kSetFrozen:
      return optimization_.toggles()
                 ? "toggle() decides here which parameters take a gradient; command it after the batch"
                 : training_.frozen_refusal(command.set_frozen());
    case v1::Command::kSkipEpoch:
      return in_epoch(training_.loop()) ? "" : "no epoch is being trained";
    case v1::Command::kCustom:
      return command.custom().event().type().empty() ? "an event of the user's own needs a type" : "";
    case v1::Command::COMMAND_NOT_SET:
      return "a command of a kind that this version does not know";
    default:
      return {};
  }
}

std::string CommandRefusals::checkpoint_refusal(const Decision& decision, EventType about) const {
  const auto& path = decision.command.has_save_checkpoint() ? decision.command.save_checkpoint().path()
                                                            : decision.command.remove_checkpoint().path();
  if (!path.empty() && !path.ends_with(kCheckpointExtension)) {
    return "'" + path + "' is no name of a checkpoint: it must end in " + kCheckpointExtension;
  }
  if (decision.command.has_remove_checkpoint()) {
    return path.empty() ? "which checkpoint to remove has to be told by its path" : "";
  }
  if (options_.fast_dev_run > 0) {
    return "a fast_dev_run saves nothing";
  }
  if (is_operator(decision)) {
    return {};  // Inputs are taken at batch boundaries.
  }
  if (decision.command.save_checkpoint().path().empty()) {
    return "a checkpoint needs a path";
  }
  return resumable_after(about) && emitter_.position().stage() != v1::STAGE_SANITY_CHECK
             ? std::string()
             : "a checkpoint can be taken after TrainEpochStarted, TrainBatchEnded, ValidationEpochStarted, "
               "ValidationBatchEnded, ValidationEnded, TrainEpochEnded and TrainEnded only, not in a sanity check";
}

std::string CommandRefusals::group_refusal(const std::string& group) const {
  if (training_.has_group(group)) {
    return {};
  }
  std::string names;
  for (const auto& known : training_.param_groups()) {
    names.append(names.empty() ? "" : ", ").append(known.name());
  }
  return "no parameter group '" + group + "'; there are " + names;
}

}  // namespace troupe
