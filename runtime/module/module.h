#pragma once

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "troupe/runtime/data/batch.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/metric_collector.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/module/device.h"
#include "troupe/runtime/module/manual_optimizer.h"
#include "troupe/runtime/options/trainer_options.h"
#include "troupe/runtime/schedule/lr_schedule.h"
#include "troupe/runtime/schedule/plateau.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

class Callback;

/// What a module emits by itself.
using ModuleEvent = std::variant<UserEvent, HistogramLogged, ImageLogged, TextLogged>;

/// How a value is logged; Lightning's names and defaults. Unset: training_step logs per step, the evaluation steps per
/// epoch.
struct LogOptions {
  /// With several loaders in an evaluation: the steps' metrics get "/dataloader_idx_<i>", each loader its own.
  bool add_dataloader_idx = true;
  int64_t batch_size = 0;                       ///< Samples that the value is the mean of; 0: those of the batch.
  std::optional<bool> on_epoch = std::nullopt;  ///< As a mean over the epoch, weighted by samples.
  std::optional<bool> on_step = std::nullopt;   ///< In the event of this batch.
  bool prog_bar = false;                        ///< Show it in progress displays.
};

/// An optimizer and what happens to its learning rate.
struct OptimizerConfig {
  enum class Interval { kStep, kEpoch };

  int64_t frequency = 1;                                 ///< It is advanced after so many of them.
  Interval interval = Interval::kEpoch;                  ///< What the schedule counts: optimizer steps or epochs.
  std::optional<LrSchedule> lr_schedule = std::nullopt;  ///< Scales each group's rate as configured; none: it stays.
  std::string name = {};  ///< Names it in metrics ("lr-<name>"); by default its class, "Adam".
  std::shared_ptr<torch::optim::Optimizer> optimizer = nullptr;
  /// Reduces the rates, the schedule's too, when a metric stops improving. With automatic optimisation only.
  std::optional<PlateauOptions> plateau = std::nullopt;
};

/// What on_train_batch_start says of the epoch.
enum class EpochGoes {
  kOn,       ///< The batch is trained.
  kToItsEnd  ///< This batch and the rest of the epoch are left out.
};

/// The user's research code. Its steps and hooks run on the thread that called Trainer::fit (validate, test, predict),
/// one at a time. What a step throws ends the run and reaches the caller. At each place the module's hook runs first,
/// then the event is emitted, so callbacks see whatever the module logged there.
class Module : public torch::nn::Module {
 public:
  /// The loss of one batch: a scalar with a graph, or an undefined tensor to skip the batch (its gradients and the step
  /// still happen for what the accumulation window holds). With manual optimisation the result is not used.
  virtual at::Tensor training_step(const Batch& batch, int64_t batch_index);
  /// Logs metrics of one batch; runs in eval mode without gradients. Needed when the data has the stage's loader.
  /// `batch_index` counts within the loader, dataloader_index() says which.
  virtual void validation_step(const Batch& batch, int64_t batch_index);
  virtual void test_step(const Batch& batch, int64_t batch_index);
  /// The prediction for one batch.
  virtual at::Tensor predict_step(const Batch& batch, int64_t batch_index);
  /// Called once at the start of a fit. Exactly one optimizer, unless optimisation is manual.
  virtual std::vector<OptimizerConfig> configure_optimizers();
  /// Callbacks that belong to the module, asked for at the start of every call of the Trainer. One of the same type as
  /// callbacks of the Trainer takes their place for that call.
  virtual std::vector<std::unique_ptr<Callback>> configure_callbacks();
  /// False: training_step itself calls manual_backward() and optimizer(i).step(). The loop then takes no step, advances
  /// no schedule and clips nothing; trainer options that ask for that are refused.
  virtual bool automatic_optimization() const { return true; }

  // Lightning's hooks, each before its event.

  /// The first and the last of a call. setup comes before configure_optimizers and before weights are loaded:
  /// submodules may be made here. teardown comes always, also after an exception.
  virtual void setup(Stage /*stage*/) {}
  virtual void teardown(Stage /*stage*/) {}
  /// The run fails with this message; the exception goes on to the caller afterwards.
  virtual void on_exception(const std::string& /*message*/) {}
  /// Adds to a checkpoint what the module has besides parameters and buffers, before these are copied; in a fit, at
  /// CheckpointTaken, for weights alone too. The other takes it back, before the tensors are loaded: in a fit that is
  /// resumed, and in an evaluation of a checkpoint; empty where the checkpoint has nothing of it, as an
  /// imported one.
  virtual void on_save_checkpoint(StateDict& /*state*/) {}
  virtual void on_load_checkpoint(const StateDict& /*state*/) {}
  virtual void on_fit_start() {}
  virtual void on_fit_end() {}
  virtual void on_train_start() {}
  virtual void on_train_end() {}
  virtual void on_train_epoch_start() {}
  virtual void on_train_epoch_end() {}
  virtual EpochGoes on_train_batch_start(const Batch& /*batch*/, int64_t /*batch_index*/) { return EpochGoes::kOn; }
  virtual void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_validation_start() {}
  virtual void on_validation_end() {}
  virtual void on_validation_epoch_start() {}
  virtual void on_validation_epoch_end() {}
  virtual void on_validation_batch_start(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_validation_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_test_start() {}
  virtual void on_test_end() {}
  virtual void on_test_epoch_start() {}
  virtual void on_test_epoch_end() {}
  virtual void on_test_batch_start(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_test_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_predict_start() {}
  virtual void on_predict_end() {}
  virtual void on_predict_epoch_start() {}
  virtual void on_predict_epoch_end() {}
  virtual void on_predict_batch_start(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_predict_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  /// Around an evaluation, without events of their own. The first puts the module into eval mode; the second is called
  /// when every submodule is back in the mode that the evaluation found it in.
  virtual void on_validation_model_eval() { eval(); }
  virtual void on_validation_model_train() {}
  virtual void on_test_model_eval() { eval(); }
  virtual void on_test_model_train() {}
  virtual void on_predict_model_eval() { eval(); }
  virtual void on_predict_model_train() {}
  virtual void on_before_zero_grad() {}
  virtual void on_before_backward(const at::Tensor& /*loss*/) {}
  virtual void on_after_backward() {}
  virtual void on_before_optimizer_step() {}

  // What the loop does by default, for a module that does it otherwise; none has an event of its own.

  /// Gives each batch to the steps, in the form and on the device that they want. As it is here: on device().
  virtual Batch transfer_batch(Batch batch);
  /// Clips the gradients of the optimizer's parameters before a step, as the trainer's options say; `value` is unset
  /// when they say nothing. Gradients of parameters that the optimizer does not hold count for nothing.
  virtual void configure_gradient_clipping(std::optional<double> value, GradientClipAlgorithm algorithm);
  /// Updates the parameters; the gradients are there.
  virtual void optimizer_step(torch::optim::Optimizer& optimizer) { optimizer.step(); }
  /// Called when a learning-rate schedule is due; false leaves it where it is this time.
  virtual bool lr_scheduler_step() { return true; }

  /// The optimizer of this index, and the backward pass of a loss: inside training_step with manual optimisation only.
  ManualOptimizer optimizer(int64_t index = 0);
  void manual_backward(const at::Tensor& loss);

  /// Logs a metric; inside steps and epoch hooks only. A tensor must have one element; on the CPU it is read at once.
  void log(std::string_view name, const at::Tensor& value, const LogOptions& options = {});
  void log(std::string_view name, double value, const LogOptions& options = {});

  // More than numbers, for loggers such as TensorBoardLogger: each call is an event at this place, HistogramLogged,
  // ImageLogged or TextLogged, and takes room in the log, so call them now and then rather than with every batch. In
  // the steps and hooks of a run only. A tensor on a device is waited for. They throw ConfigError for a tensor that
  // cannot be shown so, and for a name that is not UTF-8.

  /// How the elements of `values` are distributed, in `buckets` ranges of equal width (1 to 4096). Any real type.
  void log_histogram(std::string_view name, const at::Tensor& values, int buckets = 64);
  /// A picture, channels x height x width: grey, grey and alpha, RGB or RGBA. Floats from 0 to 1, where what lies
  /// beyond becomes the nearest of the two and NaN 0; or uint8.
  void log_image(std::string_view name, const at::Tensor& image);
  /// Loggers may take the text for Markdown. What is not UTF-8 in it becomes U+FFFD.
  void log_text(std::string_view name, std::string text);

  /// Emits an event of the user's own at this place: a message, or named values (runtime/event/user_event.h). In the
  /// steps and hooks of a run only.
  void emit(const google::protobuf::Message& message);
  void emit(std::string type, const EventValues& values);

  /// Epoch of the fit, counted from 0.
  int64_t current_epoch() const { return position_.epoch(); }
  /// Which of several loaders the batch of an evaluation comes from.
  int64_t dataloader_index() const { return position_.dataloader_index(); }
  bool sanity_checking() const { return position_.stage() == v1::STAGE_SANITY_CHECK; }
  /// Where the module was when the run, or its evaluation, began: the device of its first parameter.
  at::Device device() const { return outlet_.device; }
  /// Optimizer steps completed.
  int64_t global_step() const { return static_cast<int64_t>(position_.global_step()); }

 private:
  friend class ModuleContext;

  void emit_event(UserEvent event);
  /// Whether log_histogram and its like do anything; throws where they are not allowed.
  bool logs_media(const std::string& call, std::string_view name) const;

  /// Where what the module logs and emits goes.
  struct Outlet {
    MetricCollector* collector = nullptr;
    bool in_step = false;             // Otherwise in an epoch hook: per-epoch logging only.
    bool step_logs_per_step = false;  // The default in this stage's step.
    int64_t samples = 0;
    bool logs = true;              // Otherwise log() does nothing.
    bool several_loaders = false;  // In this evaluation.
    const std::function<void(ModuleEvent)>* emit = nullptr;
    ManualOptimization* manual = nullptr;
    torch::optim::Optimizer* optimizer = nullptr;  // Whose parameters' gradients are clipped; null: all.
    at::Device device = at::kCPU;
  };

  Position position_;
  Outlet outlet_;
};

/// The loop's side of a module: says where in the run it is, and where its metrics and events go. It is not for users.
/// They may be nested: the end of one puts back what it found.
class ModuleContext {
 public:
  explicit ModuleContext(Module& module) : module_(module), outer_(module.outlet_) {
    module_.outlet_.device = device_of(module);
  }
  ~ModuleContext() { module_.outlet_ = outer_; }
  ModuleContext(const ModuleContext&) = delete;
  ModuleContext& operator=(const ModuleContext&) = delete;

  void set_position(const Position& position) { module_.position_ = position; }
  /// log() does nothing, wherever it is called.
  void disable_logging() { module_.outlet_.logs = false; }
  void set_several_loaders(bool several) { module_.outlet_.several_loaders = several; }
  /// Null outside a step that optimises manually.
  void set_manual_optimization(ManualOptimization* manual) { module_.outlet_.manual = manual; }
  /// Whose parameters' gradients are clipped, until the end of this context.
  void set_optimizer(torch::optim::Optimizer& optimizer) { module_.outlet_.optimizer = &optimizer; }
  /// From here on log() takes values of a step over `samples` samples.
  void enter_step(MetricCollector& collector, int64_t samples, bool logs_per_step) {
    enter(collector, true, samples);
    module_.outlet_.step_logs_per_step = logs_per_step;
  }
  /// From here on log() takes values per epoch.
  void enter_epoch_hook(MetricCollector& collector) { enter(collector, false, 1); }
  /// From here on log() is an error.
  void leave() {
    module_.outlet_.collector = nullptr;
    module_.outlet_.manual = nullptr;
  }
  /// From here on emit(), and the log_ functions of what is no metric, hand their events to this; until then they are
  /// an error.
  void set_emit(std::function<void(ModuleEvent)> emit) {
    emit_ = std::move(emit);
    module_.outlet_.emit = &emit_;
  }

 private:
  void enter(MetricCollector& collector, bool step, int64_t samples) {
    auto& outlet = module_.outlet_;
    outlet.collector = &collector;
    outlet.in_step = step;
    outlet.step_logs_per_step = false;
    outlet.samples = samples;
  }

  Module& module_;
  Module::Outlet outer_;
  std::function<void(ModuleEvent)> emit_;
};

}  // namespace troupe
