#include "runtime/module.h"

#include <torch/torch.h>

#include "runtime/callback.h"
#include "runtime/error.h"

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

void Module::log(std::string_view name, const at::Tensor& value, const LogOptions& options) {
  log(name, scalar_value(name, value), options);
}

void Module::log(std::string_view name, double value, const LogOptions& options) {
  if (collector_ == nullptr) {
    throw ConfigError("log('" + std::string(name) + "'): allowed in steps and in batch and epoch hooks of a run only");
  }
  const bool on_step = options.on_step.value_or(in_step_ && step_logs_per_step_);
  const bool on_epoch = options.on_epoch.value_or(!(in_step_ && step_logs_per_step_));
  if (on_step && !in_step_) {
    throw ConfigError("log('" + std::string(name) + "'): an epoch hook logs per epoch only, leave on_step out");
  }
  const auto weight = static_cast<double>(options.batch_size > 0 ? options.batch_size : samples_);
  collector_->log(name, value, {on_step, on_epoch, options.prog_bar}, weight);
}

}  // namespace troupe
