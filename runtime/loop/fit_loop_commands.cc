// The loop's side of commands: rounds, and what each command does. fit_loop_refusals.cc says when it is refused.
#include <torch/torch.h>

#include <algorithm>

#include "troupe/runtime/event/round.h"
#include "troupe/runtime/loop/fit_loop.h"
#include "troupe/runtime/loop/inputs.h"

namespace troupe {
namespace {

/// A checkpoint that an operator gave no name.
std::string operator_checkpoint(const v1::LoopState& loop) {
  return "checkpoints/epoch=" + std::to_string(loop.epoch()) + "-step=" + std::to_string(loop.global_step()) +
         "-operator.ckpt";
}

}  // namespace

void FitLoop::apply(const Round& round, EventType about) {
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

void FitLoop::finish_pending_round() {
  if (unfinished_round_.decisions_size() > 0) {
    const Position position = emitter_.position();
    emitter_.position() = unfinished_round_.position();
    *loop().mutable_pending() = std::move(unfinished_round_);
    carry_out_pending();
    emitter_.position() = position;
  }
}

void FitLoop::carry_out_pending() {
  while (loop().pending().decisions_size() > 0) {
    auto& pending = *loop().mutable_pending();
    const v1::PendingRound::Decision next = pending.decisions(0);
    pending.mutable_decisions()->DeleteSubrange(0, 1);  // A checkpoint that it takes has only what comes after it.
    *pending.mutable_position() = emitter_.position();
    const Decision decision{next.from(), next.from_type(), next.command()};
    const auto about = static_cast<EventType>(pending.about());
    const std::string reason = next.contradiction().empty() ? refusal(decision, about) : next.contradiction();
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

void FitLoop::carry_out(const Decision& decision) {
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

void FitLoop::carry_out_vote(const Decision& decision) {
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

void FitLoop::carry_out_checkpoint(const Decision& decision) {
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

void FitLoop::close_skipped_window() {
  if (loop().skip_epoch() && window_.holds_batches() && !rules_.reached_max_steps()) {
    window_.close();
    // No event tells what the hooks of this step log per step: the batch's has gone.
    context_.enter_step(training_.epoch_metrics(), std::max<int64_t>(data_.train().batch_size(), 1),
                        /*logs_per_step=*/true);
    optimization_.step(0);
    context_.leave();
  }
}

void FitLoop::finish_skipped_epoch() {
  if (loop().skip_epoch() && rules_.epoch_cut_short()) {
    training_.epoch_ended();
  }
  loop().set_skip_epoch(false);
}

}  // namespace troupe
