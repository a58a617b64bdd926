// The loop's side of events and commands: facts out, decisions and inputs in. The loop itself is fit_loop.cc.
#include <torch/torch.h>

#include "runtime/error.h"
#include "runtime/fit_loop.h"
#include "runtime/module_info.h"
#include "runtime/round.h"

namespace troupe {
namespace {

constexpr char kInterruptCheckpoint[] = "checkpoints/interrupted.ckpt";

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

v1::FitStarted FitLoop::facts() {
  v1::FitStarted facts;
  for (const auto& group : training_.param_groups()) {
    *facts.add_param_groups() = group;
  }
  for (const auto& info : module_infos(module_)) {
    *facts.add_modules() = info;
  }
  facts.set_max_epochs(limits_.max_epochs);
  facts.set_max_steps(limits_.max_steps);
  facts.set_train_batches(static_cast<uint64_t>(limits_.train_batches));
  facts.set_validation_batches(static_cast<uint64_t>(limits_.validation_batches));
  facts.set_validates_at_epoch_end(limits_.validates_at_epoch_end);
  facts.set_fast_dev_run(options_.fast_dev_run > 0);
  facts.set_log_every_n_steps(static_cast<uint32_t>(options_.log_every_n_steps));
  return facts;
}

void FitLoop::set_position(Stage stage) {
  auto& position = emitter_->position();
  position.set_stage(stage);
  position.set_epoch(static_cast<uint32_t>(loop().epoch()));
  const auto done = static_cast<uint32_t>(loop().batches_done());
  position.set_batch_index(done == 0 ? 0 : done - 1);
  position.set_global_step(loop().global_step());
  context_->set_position(position);
}

void FitLoop::check_interrupt() {
  const int signal = emitter_->sink().pending_signal();
  if (signal == 0) {
    return;
  }
  emitter_->publish(input_of_signal(signal));
  emitter_->sink().flush();
  if (options_.enable_checkpointing) {
    v1::SaveCheckpoint save;
    save.set_path(kInterruptCheckpoint);
    take_checkpoint(save, "interrupt");
  }
  throw Interrupted{signal};
}

void FitLoop::apply(const Round& round, EventType about) {
  const auto contradictions = find_contradictions(round.decisions);
  v1::PendingRound pending;
  pending.set_cause_seq(round.seq);
  pending.set_about(static_cast<uint32_t>(about));
  for (size_t i = 0; i < round.decisions.size(); ++i) {
    auto* decision = pending.add_decisions();
    decision->set_from(round.decisions[i].from);
    decision->set_from_type(round.decisions[i].from_type);
    *decision->mutable_command() = round.decisions[i].command;
    decision->set_contradiction(contradictions[i]);
  }
  *loop().mutable_pending() = std::move(pending);
  carry_out_pending();
}

void FitLoop::finish_pending_round() {
  if (unfinished_round_.decisions_size() > 0) {
    const Position position = emitter_->position();
    emitter_->position() = unfinished_round_.position();
    *loop().mutable_pending() = std::move(unfinished_round_);
    carry_out_pending();
    emitter_->position() = position;
  }
}

void FitLoop::carry_out_pending() {
  while (loop().pending().decisions_size() > 0) {
    auto& pending = *loop().mutable_pending();
    const v1::PendingRound::Decision next = pending.decisions(0);
    pending.mutable_decisions()->DeleteSubrange(0, 1);  // A checkpoint that it takes has only what comes after it.
    *pending.mutable_position() = emitter_->position();
    const Decision decision{next.from(), next.from_type(), next.command()};
    const auto about = static_cast<EventType>(pending.about());
    const std::string reason = next.contradiction().empty() ? refusal(decision, about) : next.contradiction();
    if (!reason.empty()) {
      CommandRefused refused;
      refused.set_from(decision.from);
      refused.set_cause_seq(pending.cause_seq());
      *refused.mutable_command() = decision.command;
      refused.set_reason(reason);
      emitter_->publish(std::move(refused));
      continue;
    }
    CommandApplied applied;
    applied.set_from(decision.from);
    applied.set_cause_seq(pending.cause_seq());
    *applied.mutable_command() = decision.command;
    emitter_->publish(std::move(applied));
    carry_out(decision);
  }
  loop().clear_pending();
}

std::string FitLoop::refusal(const Decision& decision, EventType about) {
  const auto& command = decision.command;
  switch (command.command_case()) {
    case v1::Command::kSaveCheckpoint:
      if (command.save_checkpoint().path().empty()) {
        return "a checkpoint needs a path";
      }
      return resumable_after(about) && emitter_->position().stage() != v1::STAGE_SANITY_CHECK
                 ? std::string()
                 : "a checkpoint can be taken after TrainEpochStarted, TrainBatchEnded, ValidationEpochStarted, "
                   "ValidationBatchEnded, ValidationEnded, TrainEpochEnded and TrainEnded only, not in a sanity check";
    case v1::Command::kSetLearningRate: {
      const auto& set = command.set_learning_rate();
      if (!(set.lr() >= 0) || !std::isfinite(set.lr())) {
        return "a learning rate must be finite and at least 0, got " + std::to_string(set.lr());
      }
      std::string names;
      for (const auto& group : training_.param_groups()) {
        if (set.group().empty() || set.group() == group.name()) {
          return {};
        }
        names += (names.empty() ? "" : ", ") + group.name();
      }
      return "no parameter group '" + set.group() + "'; there are " + names;
    }
    case v1::Command::COMMAND_NOT_SET:
      return "a command of a kind that this version does not know";
    default:
      return {};
  }
}

void FitLoop::carry_out(const Decision& decision) {
  const auto& command = decision.command;
  switch (command.command_case()) {
    case v1::Command::kStop:
      votes_.add(decision.from, command.stop().reason());
      break;
    case v1::Command::kWithdrawStop:
      votes_.withdraw(decision.from);
      break;
    case v1::Command::kSetLearningRate:
      training_.set_learning_rate(command.set_learning_rate().lr(), command.set_learning_rate().group());
      break;
    case v1::Command::kLogLearningRates: {
      auto& state = *loop().mutable_log_learning_rates();
      state.set_on(true);
      state.set_interval(static_cast<uint32_t>(command.log_learning_rates().interval()));
      state.set_log_momentum(command.log_learning_rates().log_momentum());
      state.set_log_weight_decay(command.log_learning_rates().log_weight_decay());
      break;
    }
    case v1::Command::kSaveCheckpoint:
      loop().mutable_pending()->set_saves(loop().pending().saves() + 1);
      take_checkpoint(command.save_checkpoint(), decision.from);
      break;
    case v1::Command::kRemoveCheckpoint:
      emitter_->sink().remove_checkpoint(command.remove_checkpoint().path(),
                                         std::max<int>(1, static_cast<int>(loop().pending().saves())));
      break;
    default:
      break;  // LogMetric: the fold of CommandApplied is its whole effect.
  }
}

void FitLoop::take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from) {
  auto event = emitter_->make<CheckpointTaken>();
  auto* taken = event->mutable_checkpoint_taken();
  taken->set_path(what.path());
  taken->set_from(from);
  taken->set_monitor(what.monitor());
  taken->set_score(what.score());
  taken->set_best(what.best());
  auto snapshot = training_.capture(what.weights_only());
  snapshot->position = emitter_->position();
  snapshot->elapsed_us = emitter_->elapsed_us();
  emitter_->sink().take_checkpoint(std::move(event), std::move(snapshot), what.weights_only());
}

void FitLoop::publish_batch_ended(const Batch& batch, bool stepped, const std::vector<double>& rates_used) {
  auto event = emitter_->make<TrainBatchEnded>();
  auto* ended = event->mutable_train_batch_ended();
  training_.epoch_metrics().take_step(ended->mutable_metrics());
  ended->set_samples(static_cast<uint32_t>(batch.size()));
  const auto every = static_cast<uint64_t>(options_.log_every_n_steps);
  if (!rates_used.empty() && stepped && every > 0 && loop().global_step() % every == 0) {
    log_learning_rates(ended->mutable_metrics(), rates_used);
  }
  training_.add_changed_learning_rates(ended->mutable_learning_rates());
  emitter_->publish(std::move(event));
}

bool FitLoop::logs_learning_rates(bool per_step) const {
  const auto& how = loop().log_learning_rates();
  const bool by_schedule = how.interval() == v1::LogLearningRates::INTERVAL_UNSPECIFIED;
  const bool logs_per_step =
      by_schedule ? training_.schedules_per_step() : how.interval() == v1::LogLearningRates::INTERVAL_STEP;
  return how.on() && logs_per_step == per_step;
}

void FitLoop::log_learning_rates(google::protobuf::RepeatedPtrField<Metric>* metrics,
                                 const std::vector<double>& rates) {
  const auto add = [&](const std::string& name, double value) {
    auto* metric = metrics->Add();
    metric->set_name(name);
    metric->set_value(value);
  };
  const auto& how = loop().log_learning_rates();
  const auto groups = training_.param_groups();
  for (size_t i = 0; i < groups.size() && i < rates.size(); ++i) {
    add(groups[i].name(), rates[i]);
    if (how.log_momentum()) {
      add(groups[i].name() + "-momentum", groups[i].momentum());
    }
    if (how.log_weight_decay()) {
      add(groups[i].name() + "-weight_decay", groups[i].weight_decay());
    }
  }
  std::sort(metrics->pointer_begin(), metrics->pointer_end(),
            [](const Metric* a, const Metric* b) { return a->name() < b->name(); });
}

}  // namespace troupe
