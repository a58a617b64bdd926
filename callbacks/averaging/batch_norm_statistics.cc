#include "troupe/callbacks/averaging/batch_norm_statistics.h"

#include <torch/torch.h>

#include <utility>
#include <vector>

namespace troupe {
namespace {

/// The BatchNorms whose momentum is unset, which makes them take plain means, and the momenta to put back.
class Momenta {
 public:
  explicit Momenta(torch::nn::Module& module) {
    for (const auto& child : module.modules(/*include_self=*/false)) {
      add(child->as<torch::nn::BatchNorm1d>());
      add(child->as<torch::nn::BatchNorm2d>());
      add(child->as<torch::nn::BatchNorm3d>());
    }
  }
  ~Momenta() {
    for (auto& [options, momentum] : momenta_) {
      options->momentum(momentum);
    }
  }
  Momenta(const Momenta&) = delete;
  Momenta& operator=(const Momenta&) = delete;

  bool empty() const { return momenta_.empty(); }

 private:
  template <class Norm>
  void add(Norm* norm) {
    if (norm != nullptr && norm->is_training() && norm->options.track_running_stats()) {
      momenta_.emplace_back(&norm->options, norm->options.momentum());
      norm->options.momentum(c10::nullopt);
      norm->reset_running_stats();
    }
  }

  std::vector<std::pair<torch::nn::BatchNormOptions*, c10::optional<double>>> momenta_;
};

}  // namespace

void recompute_batch_norm(torch::nn::Module& module, const std::function<void()>& forward) {
  const torch::NoGradGuard no_grad;
  const Momenta momenta(module);
  if (!momenta.empty()) {
    forward();
  }
}

}  // namespace troupe
