#include "runtime/evaluation_loop.h"

#include <torch/torch.h>

#include <algorithm>

namespace troupe {
namespace {

struct ValidationStage {
  using Started = ValidationStarted;
  using EpochStarted = ValidationEpochStarted;
  using BatchStarted = ValidationBatchStarted;
  using BatchEnded = ValidationBatchEnded;
  using EpochEnded = ValidationEpochEnded;
  using Ended = ValidationEnded;
  static void on_start(Module& module) { module.on_validation_start(); }
  static void on_epoch_start(Module& module) { module.on_validation_epoch_start(); }
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
  static void on_start(Module& module) { module.on_test_start(); }
  static void on_epoch_start(Module& module) { module.on_test_epoch_start(); }
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
  static void on_start(Module& module) { module.on_predict_start(); }
  static void on_epoch_start(Module& /*module*/) {}
  static void on_epoch_end(Module& /*module*/) {}
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

/// Eval mode and no gradients, as long as it lives.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module) : module_(module), names_(modules_in_eval_mode(module)) {
    module.eval();
  }
  ~EvalMode() { set_modules_in_eval_mode(module_, names_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

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

EvaluationResult EvaluationLoop::run(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress) {
  switch (stage_) {
    case v1::STAGE_TEST:
      return run_stage<TestStage>(loader, batches, progress);
    case v1::STAGE_PREDICT:
      return run_stage<PredictStage>(loader, batches, progress);
    default:
      return run_stage<ValidationStage>(loader, batches, progress);
  }
}

template <class Events>
EvaluationResult EvaluationLoop::run_stage(DataLoader& loader, int64_t batches, v1::EvaluationProgress& progress) {
  const Position outer = emitter_.position();
  Position& position = emitter_.position();
  position.set_stage(stage_);
  position.set_batch_index(0);
  const EvalMode eval_mode(module_);
  ModuleContext context(module_);
  context.set_position(position);
  MetricCollector collector;
  EvaluationResult result;

  if (!progress.running()) {
    progress.set_running(true);
    progress.set_batches_done(0);
    progress.clear_metrics();
    Events::on_start(module_);
    emitter_.publish<typename Events::Started>();
    context.enter_epoch_hook(collector);
    Events::on_epoch_start(module_);
    collector.save(progress.mutable_metrics());
    emitter_.publish<typename Events::EpochStarted>();
  } else {
    collector.load(progress.metrics());
  }

  const auto first = static_cast<int64_t>(progress.batches_done());
  position.set_batch_index(first == 0 ? 0 : static_cast<uint32_t>(first - 1));
  loader.begin(position.epoch(), first);
  for (int64_t index = first; index < batches; ++index) {
    const Batch batch = loader.next();
    position.set_batch_index(static_cast<uint32_t>(index));
    context.set_position(position);
    emitter_.publish_transient<typename Events::BatchStarted>();
    context.enter_step(collector, batch.size(), /*logs_per_step=*/false);
    at::Tensor prediction = Events::step(module_, batch, index);
    context.leave();
    if (prediction.defined()) {
      result.predictions.push_back(prediction.cpu());
    }
    progress.set_batches_done(static_cast<uint64_t>(index) + 1);
    typename Events::BatchEnded ended;
    ended.set_samples(static_cast<uint32_t>(batch.size()));
    if constexpr (requires { ended.mutable_metrics(); }) {
      collector.take_step(ended.mutable_metrics());
    }
    progress.clear_metrics();
    collector.save(progress.mutable_metrics());
    emitter_.publish(std::move(ended));
    if (on_batch_boundary) {
      on_batch_boundary();
    }
  }

  context.enter_epoch_hook(collector);
  Events::on_epoch_end(module_);
  context.leave();
  typename Events::EpochEnded epoch_ended;
  google::protobuf::RepeatedPtrField<Metric> metrics;
  collector.take_epoch(&metrics);
  set_metrics(epoch_ended, metrics);
  emitter_.publish(std::move(epoch_ended));
  Events::on_end(module_);
  progress.Clear();
  if (before_end) {
    before_end();
  }
  typename Events::Ended ended;
  set_metrics(ended, metrics);
  emitter_.publish(std::move(ended));

  for (const auto& metric : metrics) {
    result.metrics.emplace_back(metric.name(), metric.value());
  }
  position = outer;
  return result;
}

}  // namespace troupe
