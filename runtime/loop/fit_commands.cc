#include "troupe/runtime/loop/fit_commands.h"

#include <algorithm>
#include <utility>

#include "troupe/runtime/event/round.h"
#include "troupe/runtime/loop/inputs.h"

namespace troupe {
namespace {

constexpr char kInterruptCheckpoint[] = "checkpoints/interrupted.ckpt";

/// A checkpoint that an operator gave no name.
std::string operator_checkpoint(const v1::LoopState& loop) {
  return "checkpoints/epoch=" + std::to_string(loop.epoch()) + "-step=" + std::to_string(loop.global_step()) +
         "-operator.ckpt";
}

}  // namespace

FitCommands::FitCommands(Training& training, const FitData& data, const Optimization& optimization,
                         EventEmitter& emitter, const TrainerOptions& options)
    : training_(training),
      emitter_(emitter),
      refusals_(training, data, optimization, emitter, options),
      saves_when_interrupted_(options.enable_checkpointing) {
  unfinished_round_.Swap(loop().mutable_pending());  // Not in loop(): RunResumed brings on a round of its own.
  loop().clear_pending();
}

void FitCommands::apply(const Round& round, EventType about) {
  for (const auto& state_key : round.detached) {
    votes_.withdraw(state_key);
  }
  const auto contradictions = find_contradictions(round.decisions);
  const v1::PendingRound outer = loop().pending();  // Of the round whose command emitted what this one is about.
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
  if (outer.decisions_size() > 0) {
    *loop().mutable_pending() = outer;
  }
}

void FitCommands::finish_unfinished_round() {
  if (unfinished_round_.decisions_size() > 0) {
    const Position position = emitter_.position();
    emitter_.position() = unfinished_round_.position();
    *loop().mutable_pending() = std::move(unfinished_round_);
    carry_out_pending();
    emitter_.position() = position;
  }
}

void FitCommands::carry_out_pending() {
  while (loop().pending().decisions_size() > 0) {
    auto& pending = *loop().mutable_pending();
    const v1::PendingRound::Decision next = pending.decisions(0);
    pending.mutable_decisions()->DeleteSubrange(0, 1);  // A checkpoint that it takes has only what comes after it.
    *pending.mutable_position() = emitter_.position();
    const Decision decision{next.from(), next.from_type(), next.command()};
    const auto about = static_cast<EventType>(pending.about());
    const std::string reason = next.contradiction().empty() ? refusals_.refusal(decision, about) : next.contradiction();
    if (!reason.empty()) {
      CommandRefused refused;
      refused.set_from(decision.from);
      refused.set_cause_seq(pending.cause_seq());
      *refused.mutable_command() = decision.command;
      refused.set_reason(reason);
      emitter_.publish(std::move(refused));
      continue;
    }
    CommandApplied applied;
    applied.set_from(decision.from);
    applied.set_cause_seq(pending.cause_seq());
    *applied.mutable_command() = decision.command;
    emitter_.publish(std::move(applied));
    carry_out(decision);
  }
  loop().clear_pending();
}

void FitCommands::carry_out(const Decision& decision) {
  const auto& command = decision.command;
  switch (command.command_case()) {
    case v1::Command::kStop:
    case v1::Command::kWithdrawStop:
      carry_out_vote(decision);
      break;
    case v1::Command::kSetLearningRate:
      training_.set_learning_rate(command.set_learning_rate().lr(), command.set_learning_rate().group());
      break;
    case v1::Command::kSetMomentum:
      training_.set_momentum(command.set_momentum().momentum(), command.set_momentum().group());
      break;
    case v1::Command::kSetAccumulation:
      loop().set_accumulate_grad_batches(command.set_accumulation().batches());
      break;
    case v1::Command::kSetBatchSize:
      loop().set_batch_size(command.set_batch_size().samples());
      break;
    case v1::Command::kSetFrozen:
      training_.set_frozen(command.set_frozen());
      break;
    case v1::Command::kSkipEpoch:
      loop().set_skip_epoch(true);
      break;
    case v1::Command::kPause:
    case v1::Command::kResume:
      loop().set_paused(command.has_pause());
      break;
    case v1::Command::kLogLearningRates: {
      auto& state = *loop().mutable_log_learning_rates();
      state.set_on(true);
      state.set_interval(static_cast<uint32_t>(command.log_learning_rates().interval()));
      state.set_log_momentum(command.log_learning_rates().log_momentum());
      state.set_log_weight_decay(command.log_learning_rates().log_weight_decay());
      break;
    }
    case v1::Command::kLogMetric:  // Besides the fold of CommandApplied: a plateau may watch it.
      training_.remember_metric(command.log_metric().name(), command.log_metric().value());
      break;
    case v1::Command::kCustom:
      emitter_.publish(user_event_of(decision));
      break;
    case v1::Command::kSaveCheckpoint:
    case v1::Command::kRemoveCheckpoint:
      carry_out_checkpoint(decision);
      break;
    default:
      break;
  }
}

void FitCommands::carry_out_vote(const Decision& decision) {
  const auto& command = decision.command;
  if (is_operator(decision)) {  // Not a vote: it does not wait for the minima.
    operator_stop_.reset();
    if (command.has_stop()) {
      operator_stop_ = {decision.from, command.stop().reason()};
    }
  } else if (command.has_stop()) {
    votes_.add(decision.from, command.stop().reason());
  } else {
    votes_.withdraw(decision.from);
  }
}

void FitCommands::carry_out_checkpoint(const Decision& decision) {
  if (decision.command.has_remove_checkpoint()) {
    emitter_.sink().remove_checkpoint(decision.command.remove_checkpoint().path(),
                                      std::max<int>(1, static_cast<int>(loop().pending().saves())));
    return;
  }
  v1::SaveCheckpoint save = decision.command.save_checkpoint();
  if (save.path().empty()) {
    save.set_path(operator_checkpoint(loop()));
  }
  loop().mutable_pending()->set_saves(loop().pending().saves() + 1);
  take_checkpoint(save, decision.from);
}

void FitCommands::take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from) {
  auto event = emitter_.make<CheckpointTaken>();
  auto* taken = event->mutable_checkpoint_taken();
  taken->set_path(what.path());
  taken->set_from(from);
  taken->set_monitor(what.monitor());
  taken->set_score(what.score());
  taken->set_best(what.best());
  emitter_.sink().await_checkpoint_slot(what.path());
  auto snapshot = training_.capture(what.weights_only());
  snapshot->position = emitter_.position();
  snapshot->elapsed_us = emitter_.elapsed_us();
  emitter_.sink().take_checkpoint(std::move(event), std::move(snapshot), what.weights_only());
}

void FitCommands::check_interrupt() {
  auto& sink = emitter_.sink();
  while (true) {
    if (sink.has_inputs()) {  // Before the signal: what was accepted is not lost with the process.
      record_inputs(emitter_, [this](const Round& round) { apply(round, Event::kInputRecorded); });
      if (operator_stop_) {
        interrupt(stopped_by_operator(operator_stop_->from, operator_stop_->reason), operator_stop_->from);
      }
    }
    if (const int signal = sink.pending_signal()) {
      emitter_.publish(input_of_signal(signal));
      sink.flush();
      interrupt(interrupted_by(signal), "interrupt");
    }
    if (!loop().paused()) {
      return;
    }
    sink.wait_for_input();
  }
}

void FitCommands::interrupt(Interrupted interrupted, const std::string& from) {
  if (saves_when_interrupted_) {
    v1::SaveCheckpoint save;
    save.set_path(kInterruptCheckpoint);
    take_checkpoint(save, from);
  }
  throw interrupted;
}

}  // namespace troupe
