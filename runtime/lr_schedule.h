#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe {

/// A learning rate as a pure function of the initial one and of how many steps the schedule has taken (optimizer steps
/// or epochs, as its user counts): nothing to save, and any step may be asked for. The formulas are the closed forms of
/// the classes of torch.optim.lr_scheduler that are named below. Each factory throws ConfigError for an argument out of
/// its range. A value type.
class LrSchedule {
 public:
  /// Learning rate for the initial rate and the step, counted from 0.
  using Function = std::function<double(double base_lr, int64_t step)>;

  /// The initial rate for ever.
  LrSchedule();
  /// A schedule of the user's own; `function` must be pure.
  LrSchedule(std::string name, Function function);

  /// As it was made, for logs: "cosine(t_max=100, eta_min=0)".
  const std::string& name() const { return name_; }
  /// `step` >= 0.
  double operator()(double base_lr, int64_t step) const { return function_(base_lr, step); }

 private:
  std::string name_;
  Function function_;
};

namespace lr_schedule {

/// ConstantLR: base_lr * factor while step < total, then base_lr. 0 <= factor <= 1, total >= 0.
LrSchedule constant(double factor, int64_t total);
/// StepLR: base_lr * gamma^floor(step / step_size). step_size >= 1, gamma > 0.
LrSchedule step(int64_t step_size, double gamma = 0.1);
/// MultiStepLR: base_lr * gamma^(number of milestones <= step). Milestones >= 0 in ascending order, at least one; gamma
/// > 0.
LrSchedule multi_step(std::vector<int64_t> milestones, double gamma = 0.1);
/// ExponentialLR: base_lr * gamma^step. gamma > 0.
LrSchedule exponential(double gamma);
/// CosineAnnealingLR: eta_min + (base_lr - eta_min) * (1 + cos(pi * step / t_max)) / 2, which rises again after t_max.
/// t_max >= 1, eta_min >= 0.
LrSchedule cosine(int64_t t_max, double eta_min = 0.0);
/// SequentialLR of LinearLR(start_factor, end_factor=1, total_iters=steps) and `then`, which starts at its step 0 when
/// the warm-up is over: base_lr * (start_factor + (1 - start_factor) * step / steps) while step < steps. steps >= 1, 0
/// < start_factor <= 1.
LrSchedule linear_warmup(int64_t steps, double start_factor = 1.0 / 3.0, LrSchedule then = {});

}  // namespace lr_schedule
}  // namespace troupe
