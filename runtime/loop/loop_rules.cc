#include "troupe/runtime/loop/loop_rules.h"

namespace troupe {

using v1::LoopState;

bool LoopRules::reached_max_steps() const {
  return limits_.max_steps >= 0 && static_cast<int64_t>(loop_.global_step()) >= limits_.max_steps;
}

bool LoopRules::reached_max_epochs() const {
  return limits_.max_epochs >= 0 && static_cast<int64_t>(loop_.epochs_completed()) >= limits_.max_epochs;
}

bool LoopRules::stop_allowed() const {
  return static_cast<int64_t>(loop_.epochs_completed()) >= limits_.min_epochs &&
         static_cast<int64_t>(loop_.global_step()) >= limits_.min_steps;
}

bool LoopRules::done() const {
  const bool between_epochs = loop_.phase() == LoopState::PHASE_EPOCH_START ||
                              loop_.phase() == LoopState::PHASE_EPOCH_ENDED ||
                              loop_.phase() == LoopState::PHASE_TRAIN_ENDED;
  return between_epochs && (limits_.train_batches == 0 || reached_max_steps() || reached_max_epochs() || stopping());
}

bool LoopRules::epoch_finished() const {
  return !epoch_cut_short() || reached_max_steps() || stopping() || loop_.skip_epoch();
}

LoopRules::Validation LoopRules::validation() const {
  const auto epoch = static_cast<int64_t>(loop_.epoch());
  if (limits_.validation_batches == 0 || (epoch + 1) % limits_.validation_epochs != 0) {
    return Validation::kNotDue;
  }
  if (stopping()) {
    return Validation::kDue;
  }
  if (limits_.validation_interval_us) {
    return Validation::kByTheClock;
  }
  auto batches = static_cast<int64_t>(limits_.count_over_epochs ? loop_.total_batches() : loop_.batches_done());
  if (limits_.validation_interval == kUntilTheEnd) {
    return loop_.skip_epoch() || !epoch_cut_short() ? Validation::kDue : Validation::kNotDue;
  }
  if (loop_.skip_epoch() && !limits_.count_over_epochs && limits_.train_batches != kUntilTheEnd) {
    batches = limits_.train_batches;  // As if the batch had been the epoch's last.
  }
  return batches % limits_.validation_interval == 0 ? Validation::kDue : Validation::kNotDue;
}

bool LoopRules::validation_was_skipped() const {
  return loop_.phase() == LoopState::PHASE_TRAIN_BATCH && loop_.batches_done() > 0 &&
         loop_.validated_batches() != loop_.total_batches() && !limits_.validation_interval_us;
}

RunOutcome LoopRules::outcome() const {
  RunOutcome outcome;
  if (reached_max_steps()) {
    outcome.reason = "max_steps=" + std::to_string(limits_.max_steps) + " reached";
  } else if (reached_max_epochs()) {
    outcome.reason = "max_epochs=" + std::to_string(limits_.max_epochs) + " reached";
  } else if (stopping()) {
    outcome.status = v1::RUN_STATUS_STOPPED;
    outcome.stopped_by = votes_.first().first;
    outcome.stop_reason = votes_.first().second;
    outcome.reason = "stopped by " + outcome.stopped_by + ": " + outcome.stop_reason;
  } else {
    outcome.reason = "no training batches";
  }
  return outcome;
}

bool in_epoch(const v1::LoopState& loop) {
  return loop.phase() == LoopState::PHASE_TRAIN_BATCH || loop.phase() == LoopState::PHASE_BATCH_ENDED ||
         loop.phase() == LoopState::PHASE_VALIDATION;
}

}  // namespace troupe
