#include "troupe/callbacks/monitoring/dead_unit_monitor.h"

#include <torch/torch.h>

#include <algorithm>

#include "troupe/callbacks/common/read_scalars.h"
#include "troupe/callbacks/common/step_gradients.h"
#include "troupe/runtime/base/error.h"

namespace troupe {

void DeadUnitMonitorOptions::describe(OptionVisitor& visit) {
  visit("every_n_steps", every_n_steps, "Optimizer steps between two that are looked at.").at_least(1);
  visit("window", window, "Optimizer steps over which a unit must be dead.").at_least(1);
}

void DeadUnitMonitorOptions::validate() const {
  if (window % every_n_steps != 0) {
    throw ConfigError("'window' must be a multiple of 'every_n_steps', got " + std::to_string(window) + " and " +
                      std::to_string(every_n_steps));
  }
}

DeadUnitMonitor::DeadUnitMonitor(DeadUnitMonitorOptions options) : options_(options) {
  check_options("DeadUnitMonitor", options_);
}

std::vector<AskWhen> DeadUnitMonitor::ask_when() const {
  return {troupe::ask_when<OptimizerStepStarted>({.during_every_n_steps = options_.every_n_steps})};
}

void DeadUnitMonitor::on(const FitStarted& /*event*/) {
  looks_ = 0;
  alive_.clear();
}

void DeadUnitMonitor::on(const OptimizerStepStarted& event, Live& live) {
  for (const auto& found : step_gradients(live, event.optimizer())) {
    if (found.gradient.dim() > 0 && found.gradient.numel() > 0) {
      look(layer_of(found.name), found.gradient);
    }
  }
  if (++looks_ == options_.window / options_.every_n_steps) {
    report(live.control());
    looks_ = 0;
    alive_.clear();
  }
}

void DeadUnitMonitor::look(const std::string& layer, const at::Tensor& gradient) {
  const torch::NoGradGuard no_grad;
  const at::Tensor dense = gradient.is_sparse() ? gradient.to_dense() : gradient;
  const int64_t units = dense.size(0);
  const at::Tensor seen = dense.reshape({units, -1}).ne(0).any(1);
  at::Tensor& alive = alive_[{layer, units}];
  alive = alive.defined() ? alive.to(seen.device()).logical_or(seen) : seen;
}

void DeadUnitMonitor::report(Control& control) {
  std::vector<at::Tensor> counts;
  for (const auto& [units, alive] : alive_) {
    counts.push_back(alive.sum());
  }
  const std::vector<double> alive_units = read_scalars(counts);
  std::map<std::string, std::pair<double, double>> layers;  // Those alive, and all.
  auto count = alive_units.begin();
  for (const auto& [units, alive] : alive_) {
    auto& layer = layers[units.first];
    layer.first += *count++;
    layer.second += static_cast<double>(units.second);
  }
  for (const auto& [layer, sums] : layers) {
    control.log("dead_units/" + layer, (sums.second - sums.first) / sums.second);
  }
}

StateDict DeadUnitMonitor::state_dict() const {
  StateDict state;
  state.set("looks", looks_);
  std::vector<std::string> layers;
  std::vector<double> sizes;
  std::string bytes;  // 0 or 1 for each unit, one group of units after the other.
  for (const auto& [units, alive] : alive_) {
    layers.push_back(units.first);
    sizes.push_back(static_cast<double>(units.second));
    const at::Tensor here = alive.to(at::kCPU).to(at::kByte).contiguous();
    bytes.append(static_cast<const char*>(here.data_ptr()), static_cast<size_t>(units.second));
  }
  state.set("layers", layers);
  state.set("sizes", sizes);
  state.set_bytes("alive", bytes);
  return state;
}

void DeadUnitMonitor::load_state_dict(const StateDict& state) {
  looks_ = state.get_int("looks");
  alive_.clear();
  const auto layers = state.get_strings("layers");
  const auto sizes = state.get_doubles("sizes");
  const std::string bytes = state.get_bytes("alive");
  size_t place = 0;
  for (size_t i = 0; i < layers.size() && i < sizes.size(); ++i) {
    const auto units = static_cast<int64_t>(sizes[i]);
    const std::string of_layer = bytes.substr(std::min(place, bytes.size()), static_cast<size_t>(units));
    if (of_layer.size() != static_cast<size_t>(units)) {
      throw CorruptionError("DeadUnitMonitor: the state has " + std::to_string(bytes.size()) +
                            " units, fewer than its layers need");
    }
    at::Tensor alive = torch::empty({units}, at::kByte);
    std::copy(of_layer.begin(), of_layer.end(), static_cast<char*>(alive.data_ptr()));
    alive_[{layers[i], units}] = alive.to(at::kBool);
    place += of_layer.size();
  }
}

}  // namespace troupe
