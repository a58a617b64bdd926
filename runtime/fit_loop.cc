#include "runtime/fit_loop.h"

#include <torch/torch.h>

#include "runtime/error.h"
#include "runtime/evaluation_loop.h"
#include "runtime/round.h"
#include "runtime/seed.h"

namespace troupe {

using v1::LoopState;

FitLoop::FitLoop(Module& module, std::shared_ptr<DataLoader> train, std::shared_ptr<DataLoader> validation,
                 const TrainerOptions& options)
    : module_(module),
      train_loader_(std::move(train)),
      validation_loader_(std::move(validation)),
      options_(options),
      training_(module, options.seed),
      limits_(loop_limits(options, train_loader_->batches(), validation_loader_ ? validation_loader_->batches() : 0)) {}

void FitLoop::restore(const Snapshot& snapshot) {
  training_.restore(snapshot);
  unfinished_round_ = loop().pending();  // Not in loop(): RunResumed brings on a round of its own.
  loop().clear_pending();
}

RunOutcome FitLoop::run(EventSink& sink, RunOpening opening, uint64_t elapsed_us) {
  emitter_.emplace(sink, elapsed_us);
  emitter_->set_round_handler([this](const Round& round, EventType about) { apply(round, about); });
  context_.emplace(module_);
  set_position(v1::STAGE_FIT);
  try {
    const std::string checkpoint =
        std::holds_alternative<RunResumed>(opening) ? std::get<RunResumed>(opening).checkpoint() : "";
    run_framed(*emitter_, v1::STAGE_FIT, std::move(opening), [&] { fit(checkpoint); });
  } catch (const Interrupted& interrupted) {
    return {
        v1::RUN_STATUS_INTERRUPTED, "interrupted by " + signal_name(interrupted.signal), {}, {}, interrupted.signal};
  }
  return outcome();
}

void FitLoop::fit(const std::string& resumed_from) {
  if (!resumed_from.empty()) {
    CheckpointLoaded loaded;
    loaded.set_path(resumed_from);
    emitter_->publish(std::move(loaded));
    finish_pending_round();
  }
  if (loop().phase() == LoopState::PHASE_FIT_START) {
    start_fit();
  }
  if (loop().phase() == LoopState::PHASE_SANITY_CHECK) {
    check_sanity();
  }
  while (!done()) {
    run_epoch();
  }
  end_fit();
}

void FitLoop::start_fit() {
  module_.train();
  module_.on_fit_start();
  loop().set_phase(LoopState::PHASE_SANITY_CHECK);
  const auto rates = training_.learning_rates();
  loop().mutable_emitted_learning_rates()->Assign(rates.begin(), rates.end());
  emitter_->publish(facts());
}

void FitLoop::check_sanity() {
  const int64_t batches = limits_.sanity_batches;
  auto& progress = *loop().mutable_evaluation();
  if (batches > 0) {
    EvaluationLoop evaluation(v1::STAGE_SANITY_CHECK, module_, *emitter_);
    set_position(v1::STAGE_SANITY_CHECK);
    training_.set_modes_before_evaluation(modules_in_eval_mode(module_));
    if (!progress.running()) {
      training_.set_rng_before_sanity_check(default_rng_state());
      progress.set_sanity_check(true);
      emitter_->publish<SanityCheckStarted>();
    }
    evaluation.on_batch_boundary = [this] { check_interrupt(); };
    evaluation.run(*validation_loader_, batches, progress);
    training_.set_modes_before_evaluation(std::nullopt);
    set_default_rng_state(training_.rng_before_sanity_check());
    training_.set_rng_before_sanity_check({});
    set_position(v1::STAGE_SANITY_CHECK);
    emitter_->publish<SanityCheckEnded>();
  }
  loop().set_phase(LoopState::PHASE_EPOCH_START);
  set_position(v1::STAGE_FIT);
  if (!done()) {
    module_.on_train_start();
    loop().set_train_started(true);
    emitter_->publish<TrainStarted>();
  }
}

void FitLoop::run_epoch() {
  if (loop().phase() == LoopState::PHASE_EPOCH_ENDED || loop().phase() == LoopState::PHASE_TRAIN_ENDED) {
    loop().set_epoch(loop().epoch() + 1);
    loop().set_phase(LoopState::PHASE_EPOCH_START);
  }
  if (loop().phase() == LoopState::PHASE_EPOCH_START) {
    start_epoch();
  }
  train_loader_->begin(static_cast<int64_t>(loop().epoch()), static_cast<int64_t>(loop().batches_done()));
  while (true) {
    if (loop().phase() == LoopState::PHASE_BATCH_ENDED) {
      loop().set_phase(validation_due() ? LoopState::PHASE_VALIDATION : LoopState::PHASE_TRAIN_BATCH);
    }
    if (loop().phase() == LoopState::PHASE_VALIDATION) {
      validate();
    }
    check_interrupt();
    if (epoch_finished()) {
      break;
    }
    train_batch();
  }
  end_epoch();
}

void FitLoop::start_epoch() {
  loop().set_batches_done(0);
  loop().set_accumulated_batches(0);
  training_.epoch_metrics().reset();
  const auto rates = training_.learning_rates();
  loop().mutable_epoch_learning_rates()->Assign(rates.begin(), rates.end());
  set_position(v1::STAGE_FIT);
  context_->enter_epoch_hook(training_.epoch_metrics());
  module_.on_train_epoch_start();
  context_->leave();
  loop().set_phase(LoopState::PHASE_TRAIN_BATCH);
  emitter_->publish(TrainEpochStarted());
}

void FitLoop::end_epoch() {
  set_position(v1::STAGE_FIT);
  context_->enter_epoch_hook(training_.epoch_metrics());
  module_.on_train_epoch_end();
  context_->leave();
  TrainEpochEnded ended;
  training_.epoch_metrics().take_epoch(ended.mutable_metrics());
  if (logs_learning_rates(/*per_step=*/false)) {
    log_learning_rates(ended.mutable_metrics(),
                       {loop().epoch_learning_rates().begin(), loop().epoch_learning_rates().end()});
  }
  loop().set_epochs_completed(loop().epoch() + 1);
  loop().set_phase(LoopState::PHASE_EPOCH_ENDED);
  emitter_->publish(std::move(ended));
}

void FitLoop::train_batch() {
  const auto index = static_cast<int64_t>(loop().batches_done());
  const int64_t window = options_.accumulate_grad_batches;
  const bool steps = (index + 1) % window == 0 || index + 1 == limits_.train_batches;
  const Batch batch = train_loader_->next();

  emitter_->position().set_batch_index(static_cast<uint32_t>(index));
  context_->set_position(emitter_->position());
  context_->enter_step(training_.epoch_metrics(), batch.size(), /*logs_per_step=*/true);
  module_.on_train_batch_start(batch, index);
  emitter_->publish_transient<TrainBatchStarted>();

  const at::Tensor loss = module_.training_step(batch, index);
  if (index % window == 0) {
    emitter_->publish_transient<ZeroGradStarted>();
    training_.zero_grad();
  }
  if (loss.defined()) {
    backward(window == 1 ? loss : loss / window);
  }
  loop().set_accumulated_batches(steps ? 0 : loop().accumulated_batches() + 1);
  loop().set_batches_done(static_cast<uint64_t>(index) + 1);
  loop().set_total_batches(loop().total_batches() + 1);
  const auto rates = logs_learning_rates(/*per_step=*/true) ? training_.learning_rates() : std::vector<double>();
  if (steps) {
    optimizer_step();
  }
  if (index + 1 == limits_.train_batches) {
    training_.epoch_ended();
  }
  module_.on_train_batch_end(batch, index);
  context_->leave();
  loop().set_phase(LoopState::PHASE_BATCH_ENDED);
  publish_batch_ended(batch, steps, rates);
}

void FitLoop::backward(const at::Tensor& loss) {
  emitter_->publish_transient<BackwardStarted>();
  loss.backward();
  emitter_->publish_transient<BackwardEnded>();
}

void FitLoop::optimizer_step() {
  module_.on_before_optimizer_step();
  emitter_->publish_transient<OptimizerStepStarted>();
  if (options_.gradient_clip_val) {
    const auto parameters = module_.parameters();
    if (options_.gradient_clip_algorithm == GradientClipAlgorithm::kNorm) {
      torch::nn::utils::clip_grad_norm_(parameters, *options_.gradient_clip_val);
    } else {
      torch::nn::utils::clip_grad_value_(parameters, *options_.gradient_clip_val);
    }
  }
  training_.optimizer_step();
  loop().set_global_step(loop().global_step() + 1);
  emitter_->position().set_global_step(loop().global_step());
  context_->set_position(emitter_->position());
}

void FitLoop::validate() {
  EvaluationLoop evaluation(v1::STAGE_VALIDATE, module_, *emitter_);
  training_.set_modes_before_evaluation(modules_in_eval_mode(module_));
  evaluation.on_batch_boundary = [this] { check_interrupt(); };
  evaluation.before_end = [this] {
    loop().set_validations(loop().validations() + 1);
    loop().set_phase(LoopState::PHASE_TRAIN_BATCH);
  };
  evaluation.run(*validation_loader_, limits_.validation_batches, *loop().mutable_evaluation());
  training_.set_modes_before_evaluation(std::nullopt);
  set_position(v1::STAGE_FIT);
}

void FitLoop::end_fit() {
  set_position(v1::STAGE_FIT);
  if (loop().train_started() && loop().phase() != LoopState::PHASE_TRAIN_ENDED) {
    module_.on_train_end();
    loop().set_phase(LoopState::PHASE_TRAIN_ENDED);
    emitter_->publish(TrainEnded());
  }
  module_.on_fit_end();
  emitter_->publish<FitEnded>();
}

bool FitLoop::reached_max_steps() const {
  return limits_.max_steps >= 0 && static_cast<int64_t>(loop().global_step()) >= limits_.max_steps;
}

bool FitLoop::reached_max_epochs() const {
  return limits_.max_epochs >= 0 && static_cast<int64_t>(loop().epochs_completed()) >= limits_.max_epochs;
}

bool FitLoop::stop_allowed() const {
  return static_cast<int64_t>(loop().epochs_completed()) >= limits_.min_epochs &&
         static_cast<int64_t>(loop().global_step()) >= limits_.min_steps;
}

bool FitLoop::done() const {
  const bool between_epochs = loop().phase() == LoopState::PHASE_EPOCH_START ||
                              loop().phase() == LoopState::PHASE_EPOCH_ENDED ||
                              loop().phase() == LoopState::PHASE_TRAIN_ENDED;
  return between_epochs && (limits_.train_batches == 0 || reached_max_steps() || reached_max_epochs() || stopping());
}

bool FitLoop::epoch_finished() const {
  return static_cast<int64_t>(loop().batches_done()) >= limits_.train_batches || reached_max_steps() || stopping();
}

bool FitLoop::validation_due() const {
  const auto epoch = static_cast<int64_t>(loop().epoch());
  if (limits_.validation_batches == 0 || (epoch + 1) % limits_.validation_epochs != 0) {
    return false;
  }
  if (stopping()) {
    return true;
  }
  const uint64_t batches = limits_.count_over_epochs ? loop().total_batches() : loop().batches_done();
  return batches % static_cast<uint64_t>(limits_.validation_interval) == 0;
}

RunOutcome FitLoop::outcome() const {
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

}  // namespace troupe
