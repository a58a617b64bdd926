#include "troupe/runtime/module/module.h"

#include <torch/torch.h>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/module/logged_media.h"

namespace troupe {
namespace {

/// Reads a scalar. A float on the CPU is read in place: item() costs a microsecond.
double scalar_value(std::string_view name, const at::Tensor& value) {
  if (!value.defined() || value.numel() != 1) {
    throw ConfigError("log('" + std::string(name) + "'): needs a tensor with one element, got " +
                      (value.defined() ? std::to_string(value.numel()) + " elements" : "an undefined one"));
  }
  if (value.is_cpu() && value.scalar_type() == at::kFloat) {
    return static_cast<double>(*static_cast<const float*>(value.data_ptr()));
  }
  return value.item<double>();
}

[[noreturn]] void throw_missing(const torch::nn::Module& module, const char* step, const char* why) {
  throw ConfigError(readable_type_name(typeid(module)) + ": override " + step + ", " + why);
}

[[noreturn]] void throw_not_in_run(const std::string& call) {
  throw ConfigError(call + ": allowed in the steps and hooks of a run only");
}

void require_manual(const torch::nn::Module& module, const ManualOptimization* manual, const char* what) {
  if (manual == nullptr) {
    throw ConfigError(readable_type_name(typeid(module)) + ": " + what +
                      "() is for training_step with manual optimisation: override automatic_optimization to be false");
  }
}

std::vector<at::Tensor> parameters_of(torch::optim::Optimizer& optimizer) {
  std::vector<at::Tensor> parameters;
  for (const auto& group : optimizer.param_groups()) {
    parameters.insert(parameters.end(), group.params().begin(), group.params().end());
  }
  return parameters;
}

}  // namespace

at::Tensor Module::training_step(const Batch& /*batch*/, int64_t /*batch_index*/) {
  throw_missing(*this, "training_step", "fit calls it with every batch");
}

void Module::validation_step(const Batch& /*batch*/, int64_t /*batch_index*/) {
  throw_missing(*this, "validation_step", "since the data has a validation loader (or set limit_val_batches to 0)");
}

void Module::test_step(const Batch& /*batch*/, int64_t /*batch_index*/) {
  throw_missing(*this, "test_step", "test calls it with every batch");
}

at::Tensor Module::predict_step(const Batch& /*batch*/, int64_t /*batch_index*/) {
  throw_missing(*this, "predict_step", "predict calls it with every batch");
}

std::vector<OptimizerConfig> Module::configure_optimizers() {
  throw_missing(*this, "configure_optimizers", "fit needs an optimizer");
}

std::vector<std::unique_ptr<Callback>> Module::configure_callbacks() {
  return {};
}

Batch Module::transfer_batch(Batch batch) {
  if (outlet_.device.is_cpu()) {
    return batch;
  }
  const auto move = [&](at::Tensor& tensor) {
    if (tensor.defined()) {
      tensor = tensor.to(outlet_.device, /*non_blocking=*/true);  // Only from pinned memory does it go on behind.
    }
  };
  move(batch.data);
  move(batch.target);
  for (auto& tensor : batch.more) {
    move(tensor);
  }
  return batch;
}

void Module::configure_gradient_clipping(std::optional<double> value, GradientClipAlgorithm algorithm) {
  if (!value) {
    return;
  }
  const auto clipped = outlet_.optimizer == nullptr ? parameters() : parameters_of(*outlet_.optimizer);
  if (algorithm == GradientClipAlgorithm::kNorm) {
    torch::nn::utils::clip_grad_norm_(clipped, *value);
  } else {
    torch::nn::utils::clip_grad_value_(clipped, *value);
  }
}

ManualOptimizer Module::optimizer(int64_t index) {
  require_manual(*this, outlet_.manual, "optimizer");
  if (index < 0 || index >= outlet_.manual->optimizers()) {
    throw ConfigError("optimizer(" + std::to_string(index) + "): configure_optimizers gave " +
                      std::to_string(outlet_.manual->optimizers()));
  }
  return {*outlet_.manual, index};
}

void Module::manual_backward(const at::Tensor& loss) {
  require_manual(*this, outlet_.manual, "manual_backward");
  outlet_.manual->backward(loss);
}

void Module::log(std::string_view name, const at::Tensor& value, const LogOptions& options) {
  if (outlet_.logs) {
    log(name, scalar_value(name, value), options);
  }
}

void Module::log(std::string_view name, double value, const LogOptions& options) {
  if (!outlet_.logs) {
    return;
  }
  if (outlet_.collector == nullptr) {
    throw ConfigError("log('" + std::string(name) + "'): allowed in steps and in batch and epoch hooks of a run only");
  }
  const bool on_step = options.on_step.value_or(outlet_.in_step && outlet_.step_logs_per_step);
  const bool on_epoch = options.on_epoch.value_or(!(outlet_.in_step && outlet_.step_logs_per_step));
  if (on_step && !outlet_.in_step) {
    throw ConfigError("log('" + std::string(name) + "'): an epoch hook logs per epoch only, leave on_step out");
  }
  const auto weight = static_cast<double>(options.batch_size > 0 ? options.batch_size : outlet_.samples);
  const MetricCollector::How how{on_step, on_epoch, options.prog_bar};
  if (outlet_.several_loaders && outlet_.in_step && options.add_dataloader_idx) {
    const std::string suffix = kDataloaderSuffix + std::to_string(dataloader_index());
    outlet_.collector->log(std::string(name) + suffix, value, how, weight);
  } else {
    outlet_.collector->log(name, value, how, weight);
  }
}

bool Module::logs_media(const std::string& call, std::string_view name) const {
  const std::string place = call + "('" + printable(name) + "')";
  if (outlet_.emit == nullptr) {
    throw_not_in_run(place);
  }
  if (!is_utf8(name)) {
    throw ConfigError(place + ": the name must be UTF-8");
  }
  return outlet_.logs;
}

void Module::log_histogram(std::string_view name, const at::Tensor& values, int buckets) {
  if (logs_media("log_histogram", name)) {
    (*outlet_.emit)(histogram_of(name, values, buckets));
  }
}

void Module::log_image(std::string_view name, const at::Tensor& image) {
  if (logs_media("log_image", name)) {
    (*outlet_.emit)(image_of(name, image));
  }
}

void Module::log_text(std::string_view name, std::string text) {
  if (logs_media("log_text", name)) {
    TextLogged logged;
    logged.set_name(std::string(name));
    logged.set_text(to_utf8(std::move(text)));
    (*outlet_.emit)(std::move(logged));
  }
}

void Module::emit(const google::protobuf::Message& message) {
  emit_event(make_user_event(message));
}

void Module::emit(std::string type, const EventValues& values) {
  emit_event(make_user_event(std::move(type), values));
}

void Module::emit_event(UserEvent event) {
  if (outlet_.emit == nullptr) {
    throw_not_in_run("emit('" + event.type() + "')");
  }
  (*outlet_.emit)(std::move(event));
}

}  // namespace troupe
