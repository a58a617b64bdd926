#include "troupe/runtime/loop/evaluation_loop.h"

#include <torch/torch.h>

#include <algorithm>
#include <concepts>

#include "troupe/runtime/module/autocast.h"
#include "troupe/runtime/module/step_outputs.h"

namespace troupe {
namespace {

struct ValidationStage {
  using Started = ValidationStarted;
  using EpochStarted = ValidationEpochStarted;
  using BatchStarted = ValidationBatchStarted;
  using BatchEnded = ValidationBatchEnded;
  using EpochEnded = ValidationEpochEnded;
  using Ended = ValidationEnded;
  static void model_eval(Module& module) { module.on_validation_model_eval(); }
  static void model_train(Module& module) { module.on_validation_model_train(); }
  static void on_start(Module& module) { module.on_validation_start(); }
  static void on_epoch_start(Module& module) { module.on_validation_epoch_start(); }
  static void on_batch_start(Module& module, const Batch& batch, int64_t index) {
    module.on_validation_batch_start(batch, index);
  }
  static void on_batch_end(Module& module, const Batch& batch, int64_t index) {
    module.on_validation_batch_end(batch, index);
  }
  static void on_epoch_end(Module& module) { module.on_validation_epoch_end(); }
  static void on_end(Module& module) { module.on_validation_end(); }
  static at::Tensor step(Module& module, const Batch& batch, int64_t index) {
    module.validation_step(batch, index);
    return {};
  }
};

struct TestStage {
  using Started = TestStarted;
  using EpochStarted = TestEpochStarted;
  using BatchStarted = TestBatchStarted;
  using BatchEnded = TestBatchEnded;
  using EpochEnded = TestEpochEnded;
  using Ended = TestEnded;
  static void model_eval(Module& module) { module.on_test_model_eval(); }
  static void model_train(Module& module) { module.on_test_model_train(); }
  static void on_start(Module& module) { module.on_test_start(); }
  static void on_epoch_start(Module& module) { module.on_test_epoch_start(); }
  static void on_batch_start(Module& module, const Batch& batch, int64_t index) {
    module.on_test_batch_start(batch, index);
  }
  static void on_batch_end(Module& module, const Batch& batch, int64_t index) {
    module.on_test_batch_end(batch, index);
  }
  static void on_epoch_end(Module& module) { module.on_test_epoch_end(); }
  static void on_end(Module& module) { module.on_test_end(); }
  static at::Tensor step(Module& module, const Batch& batch, int64_t index) {
    module.test_step(batch, index);
    return {};
  }
};

struct PredictStage {
  using Started = PredictStarted;
  using EpochStarted = PredictEpochStarted;
  using BatchStarted = PredictBatchStarted;
  using BatchEnded = PredictBatchEnded;
  using EpochEnded = PredictEpochEnded;
  using Ended = PredictEnded;
  static void model_eval(Module& module) { module.on_predict_model_eval(); }
  static void model_train(Module& module) { module.on_predict_model_train(); }
  static void on_start(Module& module) { module.on_predict_start(); }
  static void on_epoch_start(Module& module) { module.on_predict_epoch_start(); }
  static void on_batch_start(Module& module, const Batch& batch, int64_t index) {
    module.on_predict_batch_start(batch, index);
  }
  static void on_batch_end(Module& module, const Batch& batch, int64_t index) {
    module.on_predict_batch_end(batch, index);
  }
  static void on_epoch_end(Module& module) { module.on_predict_epoch_end(); }
  static void on_end(Module& module) { module.on_predict_end(); }
  static at::Tensor step(Module& module, const Batch& batch, int64_t index) {
    return module.predict_step(batch, index);
  }
};

template <class Body>
void set_metrics(Body& body, const google::protobuf::RepeatedPtrField<Metric>& metrics) {
  if constexpr (requires { body.mutable_metrics(); }) {
    *body.mutable_metrics() = metrics;
  }
}

template <class Ended>
void publish_batch_ended(EventEmitter& emitter, Ended ended, const Batch& batch, const at::Tensor& prediction) {
  std::shared_ptr<const StepOutputs> outputs;
  if (emitter.wants_outputs(EventTraits<Ended>::kType)) {
    outputs = std::make_shared<StepOutputs>(StepOutputs{batch, {}, prediction});
  }
  auto event = emitter.make<Ended>();
  *EventTraits<Ended>::mutable_body(*event) = std::move(ended);
  emitter.publish(std::move(event), std::move(outputs));
}

/// No gradients, as long as it lives; then every submodule is back in its own mode.
class ModeGuard {
 public:
  explicit ModeGuard(torch::nn::Module& module) : module_(module), names_(modules_in_eval_mode(module)) {}
  ~ModeGuard() { set_modules_in_eval_mode(module_, names_); }
  ModeGuard(const ModeGuard&) = delete;
  ModeGuard& operator=(const ModeGuard&) = delete;

 private:
  torch::nn::Module& module_;
  std::vector<std::string> names_;
  torch::NoGradGuard no_grad_;
};

}  // namespace

std::vector<std::string> modules_in_eval_mode(const torch::nn::Module& module) {
  std::vector<std::string> names;
  if (!module.is_training()) {
    names.emplace_back();
  }
  for (const auto& child : module.named_modules(/*name_prefix=*/{}, /*include_self=*/false)) {
    if (!child.value()->is_training()) {
      names.push_back(child.key());
    }
  }
  return names;
}

void set_modules_in_eval_mode(torch::nn::Module& module, const std::vector<std::string>& names) {
  module.train();
  const auto evaluates = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  // train(bool) goes down to all children, so parents come first: a child's own mode is set after its parent's.
  if (evaluates("")) {
    module.train(false);
  }
  for (const auto& child : module.named_modules(/*name_prefix=*/{}, /*include_self=*/false)) {
    child.value()->train(!evaluates(child.key()));
  }
}

EvaluationResult EvaluationLoop::run(const DataLoaders& loaders, const std::vector<int64_t>& batches,
                                     v1::EvaluationProgress& progress) {
  switch (stage_) {
    case v1::STAGE_TEST:
      return run_stage<TestStage>(loaders, batches, progress);
    case v1::STAGE_PREDICT:
      return run_stage<PredictStage>(loaders, batches, progress);
    default:
      return run_stage<ValidationStage>(loaders, batches, progress);
  }
}

template <class Events>
EvaluationResult EvaluationLoop::run_stage(const DataLoaders& loaders, const std::vector<int64_t>& batches,
                                           v1::EvaluationProgress& progress) {
  const Position outer = emitter_.position();
  emitter_.position().set_stage(stage_);
  emitter_.position().set_batch_index(0);
  result_ = {};
  {
    const ModeGuard modes(module_);
    context_.emplace(module_);
    context_->set_position(emitter_.position());
    context_->set_several_loaders(loaders.size() > 1);
    Events::model_eval(module_);
    start<Events>(progress);
    for (size_t i = progress.dataloader_index(); i < loaders.size(); ++i) {
      if (i != progress.dataloader_index()) {
        progress.set_dataloader_index(static_cast<uint32_t>(i));
        progress.set_batches_done(0);
      }
      run_loader<Events>(*loaders[i], batches[i], progress);
    }
    end<Events>(progress);
    context_.reset();
  }
  Events::model_train(module_);
  emitter_.position() = outer;
  return std::move(result_);
}

template <class Events>
void EvaluationLoop::start(v1::EvaluationProgress& progress) {
  collector_.reset();
  if (progress.running()) {
    collector_.load(progress.metrics());
    return;
  }
  progress.set_running(true);
  progress.set_dataloader_index(0);
  progress.set_batches_done(0);
  progress.clear_metrics();
  Events::on_start(module_);
  emitter_.publish<typename Events::Started>();
  context_->enter_epoch_hook(collector_);
  Events::on_epoch_start(module_);
  context_->leave();
  collector_.save(progress.mutable_metrics());
  emitter_.publish<typename Events::EpochStarted>();
}

template <class Events>
void EvaluationLoop::run_loader(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress) {
  Position& position = emitter_.position();
  const auto first = static_cast<int64_t>(progress.batches_done());
  position.set_dataloader_index(progress.dataloader_index());
  position.set_batch_index(first == 0 ? 0 : static_cast<uint32_t>(first - 1));
  loader.begin(position.epoch(), first);
  if (first > 0 && on_batch_boundary) {  // The boundary that the checkpoint was taken before, or in.
    on_batch_boundary();
  }
  const bool ends_by_itself = loader.batches() == DataLoader::kUnknown;
  for (int64_t index = first; index < batches && !(ends_by_itself && loader.at_end()); ++index) {
    position.set_batch_index(static_cast<uint32_t>(index));
    run_batch<Events>(module_.transfer_batch(loader.next()), index, progress);
    if (on_batch_boundary) {
      on_batch_boundary();
    }
  }
}

template <class Events>
void EvaluationLoop::run_batch(const Batch& batch, int64_t index, v1::EvaluationProgress& progress) {
  context_->set_position(emitter_.position());
  context_->enter_step(collector_, batch.size(), /*logs_per_step=*/false);
  Events::on_batch_start(module_, batch, index);
  emitter_.publish_transient<typename Events::BatchStarted>();
  at::Tensor prediction;
  {
    const AutocastGuard autocast(precision_, module_.device().type());
    prediction = Events::step(module_, batch, index);
  }
  Events::on_batch_end(module_, batch, index);
  context_->leave();
  if (prediction.defined()) {
    result_.predictions.push_back(prediction.cpu());
  }
  progress.set_batches_done(static_cast<uint64_t>(index) + 1);
  typename Events::BatchEnded ended;
  ended.set_samples(static_cast<uint32_t>(batch.size()));
  if constexpr (requires { ended.mutable_metrics(); }) {
    collector_.take_step(ended.mutable_metrics());
    report_metrics(ended.metrics());
  }
  progress.clear_metrics();
  collector_.save(progress.mutable_metrics());
  publish_batch_ended(emitter_, std::move(ended), batch, prediction);
}

template <class Events>
void EvaluationLoop::end(v1::EvaluationProgress& progress) {
  context_->enter_epoch_hook(collector_);
  Events::on_epoch_end(module_);
  context_->leave();
  typename Events::EpochEnded epoch_ended;
  google::protobuf::RepeatedPtrField<Metric> metrics;
  collector_.take_epoch(&metrics);
  report_metrics(metrics);
  set_metrics(epoch_ended, metrics);
  emitter_.publish(std::move(epoch_ended));
  Events::on_end(module_);
  progress.Clear();
  typename Events::Ended ended;
  set_metrics(ended, metrics);
  if constexpr (std::same_as<typename Events::Ended, ValidationEnded>) {
    if (before_end) {
      before_end(ended);
    }
  }
  emitter_.publish(std::move(ended));
  for (const auto& metric : metrics) {
    result_.metrics.emplace_back(metric.name(), metric.value());
  }
}

}  // namespace troupe
