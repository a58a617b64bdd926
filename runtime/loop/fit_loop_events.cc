// The loop's side of events: facts out, inputs in. The loop itself is fit_loop.cc, its commands fit_loop_commands.cc.
#include <torch/torch.h>

#include "troupe/runtime/loop/fit_loop.h"
#include "troupe/runtime/loop/inputs.h"

namespace troupe {
namespace {

constexpr char kInterruptCheckpoint[] = "checkpoints/interrupted.ckpt";

}  // namespace

void FitLoop::set_position(Stage stage) {
  auto& position = emitter_.position();
  position.set_stage(stage);
  position.set_epoch(static_cast<uint32_t>(loop().epoch()));
  const auto done = static_cast<uint32_t>(loop().batches_done());
  position.set_batch_index(done == 0 ? 0 : done - 1);
  position.set_global_step(loop().global_step());
  context_.set_position(position);
}

void FitLoop::check_interrupt() {
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

void FitLoop::interrupt(Interrupted interrupted, const std::string& from) {
  if (options_.enable_checkpointing) {
    v1::SaveCheckpoint save;
    save.set_path(kInterruptCheckpoint);
    take_checkpoint(save, from);
  }
  throw interrupted;
}

void FitLoop::take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from) {
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

void FitLoop::publish_batch_ended(const Batch& batch, const at::Tensor& loss, bool stepped,
                                  const GroupRates& rates_used) {
  auto event = emitter_.make<TrainBatchEnded>();
  auto* ended = event->mutable_train_batch_ended();
  training_.epoch_metrics().take_step(ended->mutable_metrics());
  ended->set_samples(static_cast<uint32_t>(batch.size()));
  const auto every = static_cast<uint64_t>(options_.log_every_n_steps);
  if (!rates_used.learning_rates.empty() && stepped && every > 0 && loop().global_step() % every == 0) {
    log_learning_rates(ended->mutable_metrics(), rates_used);
  }
  training_.remember_metrics(ended->metrics());
  training_.add_changed_learning_rates(ended->mutable_learning_rates());
  std::shared_ptr<const StepOutputs> outputs;
  if (emitter_.wants_outputs(Event::kTrainBatchEnded)) {
    outputs = std::make_shared<StepOutputs>(StepOutputs{batch, loss.defined() ? loss.detach() : loss, {}});
  }
  emitter_.publish(std::move(event), std::move(outputs));
}

bool FitLoop::logs_learning_rates(bool per_step) const {
  const auto& how = loop().log_learning_rates();
  const bool by_schedule = how.interval() == v1::LogLearningRates::INTERVAL_UNSPECIFIED;
  const bool logs_per_step =
      by_schedule ? training_.schedules_per_step() : how.interval() == v1::LogLearningRates::INTERVAL_STEP;
  return how.on() && logs_per_step == per_step;
}

void FitLoop::log_learning_rates(google::protobuf::RepeatedPtrField<Metric>* metrics, const GroupRates& rates) {
  const auto add = [&](const std::string& name, double value) {
    auto* metric = metrics->Add();
    metric->set_name(name);
    metric->set_value(value);
  };
  const auto& how = loop().log_learning_rates();
  const auto groups = training_.param_groups();
  for (size_t i = 0; i < groups.size() && i < rates.learning_rates.size(); ++i) {
    add(groups[i].name(), rates.learning_rates[i]);
    if (how.log_momentum()) {
      add(groups[i].name() + "-momentum", i < rates.momenta.size() ? rates.momenta[i] : groups[i].momentum());
    }
    if (how.log_weight_decay()) {
      add(groups[i].name() + "-weight_decay", groups[i].weight_decay());
    }
  }
  std::sort(metrics->pointer_begin(), metrics->pointer_end(),
            [](const Metric* a, const Metric* b) { return a->name() < b->name(); });
}

}  // namespace troupe
