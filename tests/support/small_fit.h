#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/recording_sink.h"
#include "troupe/runtime/callback/typed_callback.h"
#include "troupe/runtime/data/fixed_batches.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/loop/fit_run.h"
#include "troupe/runtime/loop/live.h"

namespace troupe {

/// A backbone with everything that training changes (batch norm, dropout) and a head.
class SmallModule : public Module {
 public:
  SmallModule() {
    backbone_ = register_module(
        "backbone", torch::nn::Sequential(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4), torch::nn::Dropout(0.3)));
    head_ = register_module("head", torch::nn::Linear(4, 1));
  }
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    if (in_training_step) {
      in_training_step(batch_index);
    }
    const auto loss = torch::mse_loss(predict(batch), batch.target);
    log("loss", loss, {.on_epoch = true, .on_step = true});
    return loss;
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
    log("val_loss", torch::mse_loss(predict(batch), batch.target));
  }
  at::Tensor predict_step(const Batch& batch, int64_t /*batch_index*/) override { return predict(batch); }
  std::vector<OptimizerConfig> configure_optimizers() override {
    if (configure) {
      return {configure(*this)};
    }
    return {{.interval = OptimizerConfig::Interval::kStep,
             .lr_schedule = lr_schedule::cosine(20),
             .optimizer = std::make_shared<torch::optim::Adam>(parameters(), torch::optim::AdamOptions(0.01))}};
  }

  void on_before_optimizer_step() override {
    if (before_optimizer_step) {
      before_optimizer_step();
    }
  }

  std::function<void(int64_t batch_index)> in_training_step;
  std::function<void()> before_optimizer_step;
  std::function<OptimizerConfig(SmallModule&)> configure;

 private:
  at::Tensor predict(const Batch& batch) { return head_->forward(backbone_->forward(batch.data)); }
  torch::nn::Sequential backbone_{nullptr};
  torch::nn::Linear head_{nullptr};
};

/// 24 samples, shuffled.
inline std::shared_ptr<DataLoader> small_loader(int64_t batch_size = 4, int num_workers = 0) {
  const auto data = torch::linspace(-1, 1, 72).reshape({24, 3});
  DataLoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = true;
  options.num_workers = num_workers;
  return make_data_loader(std::make_shared<TensorDataset>(data, data.sum(1, /*keepdim=*/true).sin()), options);
}

inline TrainerOptions small_options() {
  TrainerOptions options;
  options.max_epochs = 2;
  return options;
}

/// A fit of six batches an epoch against a RecordingSink, the same every time.
struct SmallFit {
  explicit SmallFit(const TrainerOptions& given = small_options(),
                    std::function<OptimizerConfig(SmallModule&)> configure = {},
                    std::shared_ptr<DataLoader> loader = small_loader())
      : options(given) {
    torch::manual_seed(7);
    module = std::make_shared<SmallModule>();
    module->configure = std::move(configure);
    loop = std::make_unique<FitRun>(*module, std::move(loader), small_loader(12), options);
  }

  RunOutcome run() {
    torch::manual_seed(8);
    return loop->run(sink, RunStarted());
  }
  /// Goes on from a snapshot of another fit.
  RunOutcome resume(const Snapshot& snapshot) {
    loop->restore(snapshot);
    RunResumed opening;
    opening.set_checkpoint("x.ckpt");
    *opening.mutable_fit() = loop->facts();
    return loop->run(sink, opening);
  }

  /// Answers of one controller, "c", to the events of one type.
  template <EventBody E>
  void control(std::function<void(const Event&, Control&)> hook) {
    sink.asked.set(EventTraits<E>::kType);
    sink.decide = [hook, this](const Event& event) {
      std::vector<Decision> decisions;
      if (event.body_case() == EventTraits<E>::kType) {
        Control control(sink.run, event.elapsed_us());
        hook(event, control);
        for (const auto& command : control.commands()) {
          decisions.push_back({"c", "Controller", command});
        }
      }
      return decisions;
    };
  }
  /// A Live hook.
  template <EventBody E>
  void live(std::function<void(const E&, Live&)> hook) {
    sink.lent.set(EventTraits<E>::kType);
    sink.live_callbacks.push_back(
        make_callback(std::make_shared<callback_detail::LambdaCallback<E, decltype(hook)>>(std::move(hook)), "live"));
  }

  /// The bodies of one type, in order.
  template <EventBody E>
  std::vector<Event> events() const {
    std::vector<Event> found;
    for (const auto& event : sink.events) {
      if (event->body_case() == EventTraits<E>::kType) {
        found.push_back(*event);
      }
    }
    return found;
  }
  /// The reasons of what was refused.
  std::vector<std::string> refusals() const {
    std::vector<std::string> reasons;
    for (const auto& event : events<CommandRefused>()) {
      reasons.push_back(event.command_refused().reason());
    }
    return reasons;
  }
  /// Everything that a checkpoint would hold, as bytes.
  std::string state_bytes() {
    const auto snapshot = loop->training().capture(/*weights_only=*/false);
    std::string bytes = snapshot->state.SerializeAsString();
    for (const auto& named : snapshot->tensors) {
      bytes.append(named.name);
      bytes.append(static_cast<const char*>(named.tensor.data_ptr()), named.tensor.nbytes());
    }
    return bytes;
  }
  /// Every recorded event but for its time.
  std::vector<std::string> event_bytes() const {
    std::vector<std::string> bytes;
    for (const auto& event : sink.events) {
      Event copy = *event;
      copy.clear_elapsed_us();
      bytes.push_back(copy.SerializeAsString());
    }
    return bytes;
  }

  TrainerOptions options;
  std::shared_ptr<SmallModule> module;
  std::unique_ptr<FitRun> loop;
  RecordingSink sink;
};

}  // namespace troupe
