#include "troupe/runtime/loop/fit_loop.h"

#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/evaluation_loop.h"
#include "troupe/runtime/loop/fit_facts.h"
#include "troupe/runtime/loop/live.h"

namespace troupe {

using v1::LoopState;

FitLoop::FitLoop(Training& training, FitData& data, const TrainerOptions& options, EventEmitter& emitter,
                 ModuleContext& context)
    : training_(training),
      module_(training.module()),
      data_(data),
      options_(options),
      emitter_(emitter),
      context_(context) {
  emitter_.set_round_handler([this](const Round& round, EventType about) { commands_.apply(round, about); });
  emitter_.set_live_turn(
      [this](Callback& callback, const RunState& run, const Event& event, const StepOutputs* outputs) {
        return run_live_hook(callback, event, run, lender_.loan(event.body_case(), outputs));
      });
  set_position(v1::STAGE_FIT);
}

void FitLoop::run(const std::string& resumed_from) {
  if (options_.enable_checkpointing) {
    training_.prepare_shadows();
  }
  if (!resumed_from.empty()) {
    CheckpointLoaded loaded;
    loaded.set_path(resumed_from);
    emitter_.publish(std::move(loaded));
    commands_.finish_unfinished_round();
  }
  if (loop().phase() == LoopState::PHASE_FIT_START) {
    start_fit();
  }
  if (loop().phase() == LoopState::PHASE_SANITY_CHECK) {
    check_sanity();
    start_training();
  }
  while (!rules_.done()) {
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
  emitter_.publish(fit_facts(training_, data_, options_));
}

void FitLoop::check_sanity() {
  auto& progress = *loop().mutable_evaluation();
  const auto& batches = data_.limits().sanity_batches;
  if (batches.empty()) {
    return;
  }
  EvaluationLoop evaluation(v1::STAGE_SANITY_CHECK, module_, emitter_, options_.precision);
  set_position(v1::STAGE_SANITY_CHECK);
  training_.set_modes_before_evaluation(modules_in_eval_mode(module_));
  if (!progress.running()) {
    training_.remember_rng();
    progress.set_sanity_check(true);
    emitter_.publish<SanityCheckStarted>();
  }
  evaluation.on_batch_boundary = [this] { commands_.check_interrupt(); };
  evaluation.run(data_.validation(), batches, progress);
  training_.set_modes_before_evaluation(std::nullopt);
  training_.put_back_rng();
  set_position(v1::STAGE_SANITY_CHECK);
  emitter_.publish<SanityCheckEnded>();
}

void FitLoop::start_training() {
  loop().set_phase(LoopState::PHASE_EPOCH_START);
  set_position(v1::STAGE_FIT);
  if (!rules_.done()) {
    module_.on_train_start();
    loop().set_train_started(true);
    clock_.start();
    emitter_.publish<TrainStarted>();
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
  if (!loop().data_ended()) {
    data_.train().begin(static_cast<int64_t>(loop().epoch()), static_cast<int64_t>(loop().batches_done()));
  }
  if (loop().batches_done() == 0 && data_.train_ends_by_itself() && data_.train().at_end()) {
    throw DataError("the training data gave no batch in epoch " + std::to_string(loop().epoch()));
  }
  do {
    pass_boundary();
  } while (!rules_.epoch_finished() && train_batch());
  end_epoch();
}

void FitLoop::start_epoch() {
  loop().set_batches_done(0);
  loop().set_data_ended(false);
  window_.close();
  loop().set_epoch_batch_size(loop().batch_size());
  data_.set_batch_size(loop().epoch_batch_size());
  training_.epoch_metrics().reset();
  rates_log_.start_epoch();
  set_position(v1::STAGE_FIT);
  context_.enter_epoch_hook(training_.epoch_metrics());
  module_.on_train_epoch_start();
  context_.leave();
  loop().set_phase(LoopState::PHASE_TRAIN_BATCH);
  emitter_.publish(TrainEpochStarted());
}

void FitLoop::pass_boundary() {
  bool skipped = false;
  do {
    skipped = loop().skip_epoch();
    close_skipped_window();
    if (loop().phase() == LoopState::PHASE_BATCH_ENDED || (skipped && rules_.validation_was_skipped())) {
      loop().set_phase(validation_due() ? LoopState::PHASE_VALIDATION : LoopState::PHASE_TRAIN_BATCH);
    }
    if (loop().phase() == LoopState::PHASE_VALIDATION) {
      validate();
    }
    commands_.check_interrupt();
  } while (loop().skip_epoch() != skipped);  // The batch has become the epoch's last.
}

bool FitLoop::train_batch() {
  const auto index = static_cast<int64_t>(loop().batches_done());
  const int64_t window = window_.open();
  const Batch batch = module_.transfer_batch(data_.train().next());
  const uint64_t step_before = loop().global_step();

  emitter_.position().set_batch_index(static_cast<uint32_t>(index));
  context_.set_position(emitter_.position());
  context_.enter_step(training_.epoch_metrics(), batch.size(), /*logs_per_step=*/true);
  const EpochGoes epoch_goes = module_.on_train_batch_start(batch, index);
  emitter_.publish_transient<TrainBatchStarted>();
  if (epoch_goes == EpochGoes::kToItsEnd) {  // Without this batch, and without a step for an open window.
    context_.leave();
    window_.close();
    loop().set_skip_epoch(true);
    return false;
  }

  const at::Tensor loss = optimization_.training_step(batch, index);
  if (training_.automatic()) {
    if (!window_.holds_batches()) {
      optimization_.drop_gradients();
    }
    if (loss.defined()) {
      optimization_.backward(window == 1 ? loss : loss / window);
    }
  }
  loop().set_data_ended(data_.train_ends_by_itself() && data_.train().at_end());
  const bool last = loop().data_ended() || index + 1 == data_.limits().train_batches;
  const bool steps = window_.add_batch(last || loop().skip_epoch());
  loop().set_batches_done(static_cast<uint64_t>(index) + 1);
  loop().set_total_batches(loop().total_batches() + 1);
  const GroupRates rates = rates_log_.rates_of_step();
  if (steps && training_.automatic()) {
    optimization_.step(0);
  }
  if (last) {
    training_.epoch_ended();
  }
  module_.on_train_batch_end(batch, index);
  context_.leave();
  loop().set_phase(LoopState::PHASE_BATCH_ENDED);
  publish_batch_ended(batch, loss, loop().global_step() != step_before, rates);
  return true;
}

void FitLoop::publish_batch_ended(const Batch& batch, const at::Tensor& loss, bool stepped,
                                  const GroupRates& rates_used) {
  auto event = emitter_.make<TrainBatchEnded>();
  auto* ended = event->mutable_train_batch_ended();
  training_.epoch_metrics().take_step(ended->mutable_metrics());
  ended->set_samples(static_cast<uint32_t>(batch.size()));
  ended->set_last_of_epoch(loop().data_ended());
  if (stepped) {
    rates_log_.end_step(rates_used, ended->mutable_metrics());
  }
  training_.remember_metrics(ended->metrics());
  training_.add_changed_learning_rates(ended->mutable_learning_rates());
  std::shared_ptr<const StepOutputs> outputs;
  if (emitter_.wants_outputs(Event::kTrainBatchEnded)) {
    outputs = std::make_shared<StepOutputs>(StepOutputs{batch, loss.defined() ? loss.detach() : loss, {}});
  }
  emitter_.publish(std::move(event), std::move(outputs));
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

bool FitLoop::validation_due() {
  const auto validation = rules_.validation();
  return validation == LoopRules::Validation::kDue ||
         (validation == LoopRules::Validation::kByTheClock && clock_.time_has_come());
}

void FitLoop::validate() {
  EvaluationLoop evaluation(v1::STAGE_VALIDATE, module_, emitter_, options_.precision);
  training_.set_modes_before_evaluation(modules_in_eval_mode(module_));
  evaluation.on_batch_boundary = [this] { commands_.check_interrupt(); };
  evaluation.on_metrics = [this](const auto& metrics) { training_.remember_metrics(metrics); };
  evaluation.before_end = [this](ValidationEnded& ended) {
    loop().set_validations(loop().validations() + 1);
    loop().set_validated_batches(loop().total_batches());
    training_.check_plateaus(PlateauOptions::Interval::kValidation, loop().validations(), /*cut_short=*/false,
                             ended.mutable_learning_rates());
    clock_.start();
    loop().set_phase(LoopState::PHASE_TRAIN_BATCH);
  };
  evaluation.run(data_.validation(), data_.limits().validation_batches_by_loader, *loop().mutable_evaluation());
  training_.set_modes_before_evaluation(std::nullopt);
  set_position(v1::STAGE_FIT);
}

void FitLoop::end_epoch() {
  if (loop().skip_epoch() && rules_.epoch_cut_short()) {  // The schedule counts it all the same.
    training_.epoch_ended();
  }
  loop().set_skip_epoch(false);
  set_position(v1::STAGE_FIT);
  context_.enter_epoch_hook(training_.epoch_metrics());
  module_.on_train_epoch_end();
  context_.leave();
  TrainEpochEnded ended;
  training_.epoch_metrics().take_epoch(ended.mutable_metrics());
  rates_log_.end_epoch(ended.mutable_metrics());
  training_.remember_metrics(ended.metrics());
  training_.check_plateaus(PlateauOptions::Interval::kEpoch, loop().epoch() + 1, rules_.epoch_cut_short(),
                           ended.mutable_learning_rates());
  loop().set_epochs_completed(loop().epoch() + 1);
  loop().set_phase(LoopState::PHASE_EPOCH_ENDED);
  emitter_.publish(std::move(ended));
}

void FitLoop::end_fit() {
  set_position(v1::STAGE_FIT);
  if (loop().train_started() && loop().phase() != LoopState::PHASE_TRAIN_ENDED) {
    module_.on_train_end();
    loop().set_phase(LoopState::PHASE_TRAIN_ENDED);
    emitter_.publish(TrainEnded());
  }
  module_.on_fit_end();
  emitter_.publish<FitEnded>();
}

void FitLoop::set_position(Stage stage) {
  auto& position = emitter_.position();
  position.set_stage(stage);
  position.set_epoch(static_cast<uint32_t>(loop().epoch()));
  const auto done = static_cast<uint32_t>(loop().batches_done());
  position.set_batch_index(done == 0 ? 0 : done - 1);
  position.set_global_step(loop().global_step());
  context_.set_position(position);
}

}  // namespace troupe
