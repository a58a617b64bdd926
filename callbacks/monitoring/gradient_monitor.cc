#include "troupe/callbacks/monitoring/gradient_monitor.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "troupe/callbacks/common/read_scalars.h"
#include "troupe/callbacks/common/step_gradients.h"

namespace troupe {
namespace {

at::Tensor norm_of(const at::Tensor& elements) {
  return at::norm(elements, at::Scalar(2), at::kDouble);
}

}  // namespace

/// Over the parameters of a layer.
struct GradientMonitor::LayerSums {
  std::string layer;
  double elements = 0;
  double gradient_squares = 0;
  double non_zeros = 0;
  double update_squares = 0;
  double weight_squares = 0;
};

void GradientMonitorOptions::describe(OptionVisitor& visit) {
  visit("every_n_steps", every_n_steps, "Optimizer steps between two that are looked at.").at_least(1);
  visit("log_update_ratio", log_update_ratio, "How much a step changes; copies the parameters at those steps.");
  visit("log_zeros", log_zeros, "Which share of the gradients' elements is 0.");
}

GradientMonitor::GradientMonitor(GradientMonitorOptions options) : options_(options) {
  check_options("GradientMonitor", options_);
}

std::vector<AskWhen> GradientMonitor::ask_when() const {
  return {troupe::ask_when<OptimizerStepStarted>({.during_every_n_steps = options_.every_n_steps}),
          troupe::ask_when<TrainBatchEnded>({.every_n_steps = options_.every_n_steps})};
}

void GradientMonitor::on(const OptimizerStepStarted& event, Live& live) {
  const torch::NoGradGuard no_grad;
  // The state is that of the last recorded event: of the batch before. A batch of a manual optimisation may have gone
  // by whose last step was not the one that was looked at.
  if (steps_before_batch_ != live.run().global_step()) {
    measured_.clear();
    steps_before_batch_ = live.run().global_step();
  }
  for (const auto& found : step_gradients(live, event.optimizer())) {
    const at::Tensor elements = stored_elements(found.gradient);
    measured_.push_back({.layer = layer_of(found.name),
                         .elements = found.parameter.numel(),
                         .gradient_norm = norm_of(elements),
                         .non_zeros = at::count_nonzero(elements),
                         .parameter = found.parameter,
                         .before = options_.log_update_ratio ? found.parameter.detach().clone() : at::Tensor()});
  }
}

std::vector<at::Tensor> GradientMonitor::scalars() const {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> scalars;
  for (const auto& one : measured_) {
    scalars.push_back(one.gradient_norm);
    scalars.push_back(one.non_zeros);
    scalars.push_back(options_.log_update_ratio ? norm_of(one.parameter - one.before) : one.gradient_norm);
    scalars.push_back(options_.log_update_ratio ? norm_of(one.before) : one.gradient_norm);
  }
  return scalars;
}

std::vector<GradientMonitor::LayerSums> GradientMonitor::sum_by_layer() const {
  const std::vector<double> values = read_scalars(scalars());
  const auto square = [](double value) { return value * value; };
  std::vector<LayerSums> layers;
  for (size_t i = 0; i < measured_.size(); ++i) {
    const auto& one = measured_[i];
    auto layer = std::find_if(layers.begin(), layers.end(), [&](const auto& sums) { return sums.layer == one.layer; });
    if (layer == layers.end()) {
      layer = layers.insert(layers.end(), LayerSums{.layer = one.layer});
    }
    layer->elements += static_cast<double>(one.elements);
    layer->gradient_squares += square(values[4 * i]);
    layer->non_zeros += values[4 * i + 1];
    layer->update_squares += square(values[4 * i + 2]);
    layer->weight_squares += square(values[4 * i + 3]);
  }
  return layers;
}

void GradientMonitor::on(const TrainBatchEnded& /*event*/, Live& live) {
  Control& control = live.control();
  double total_squares = 0;
  for (const auto& layer : sum_by_layer()) {
    control.log("grad_norm/" + layer.layer, std::sqrt(layer.gradient_squares));
    total_squares += layer.gradient_squares;
    if (options_.log_zeros) {
      control.log("grad_zeros/" + layer.layer, 1 - layer.non_zeros / layer.elements);
    }
    if (options_.log_update_ratio) {
      const double update = std::sqrt(layer.update_squares);
      control.log("update_ratio/" + layer.layer, update == 0 ? 0 : update / std::sqrt(layer.weight_squares));
    }
  }
  if (!measured_.empty()) {
    control.log("grad_norm_total", std::sqrt(total_squares));
  }
  measured_.clear();
}

}  // namespace troupe
