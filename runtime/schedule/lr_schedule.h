#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// A learning rate as a pure function of the initial one and of how many steps the schedule has taken (optimizer steps
/// or epochs, as its user counts): nothing to save, and any step may be asked for. The formulas are the closed forms of
/// the classes of torch.optim.lr_scheduler that are named below. A schedule may cycle the momentum along with the rate,
/// as another pure function of the step. Each factory throws ConfigError for an argument out of its range. A value
/// type.
class LrSchedule {
 public:
  /// Learning rate for the initial rate and the step, counted from 0.
  using Function = std::function<double(double base_lr, int64_t step)>;
  /// Momentum, or first beta, at the step; none where the schedule leaves it as it is.
  using MomentumFunction = std::function<std::optional<double>(int64_t step)>;

  /// The initial rate for ever.
  LrSchedule();
  /// A schedule of the user's own; the functions must be pure.
  LrSchedule(std::string name, Function function, MomentumFunction momentum = nullptr);

  /// As it was made, for logs: "cosine(t_max=100, eta_min=0)".
  const std::string& name() const { return name_; }
  /// `step` >= 0.
  double operator()(double base_lr, int64_t step) const { return function_(base_lr, step); }
  /// Whether momentum() ever gives a value. Such a schedule needs an optimizer with a momentum or betas.
  bool cycles_momentum() const { return momentum_ != nullptr; }
  std::optional<double> momentum(int64_t step) const { return momentum_ ? momentum_(step) : std::nullopt; }

 private:
  std::string name_;
  Function function_;
  MomentumFunction momentum_;
};

/// How one_cycle goes from one value to the next.
enum class AnnealStrategy { kCos, kLinear };

/// Options of lr_schedule::one_cycle, by OneCycleLR's names and with its defaults.
struct OneCycleOptions {
  AnnealStrategy anneal_strategy = AnnealStrategy::kCos;
  double base_momentum = 0.85;    ///< Momentum, or first beta.
  bool cycle_momentum = true;     ///< From max_momentum at the start to base_momentum at the peak and back.
  double div_factor = 25.0;       ///< The cycle starts with max_lr / div_factor ...
  double final_div_factor = 1e4;  ///< ... and ends with that divided by final_div_factor.
  std::optional<double> max_lr = std::nullopt;  ///< At the peak, of every group; unset: each group's configured rate.
  double max_momentum = 0.95;
  double pct_start = 0.3;    ///< Part of the cycle in which the rate rises.
  bool three_phase = false;  ///< Down to the initial rate first, as long as it rose, and then to the last one.
  int64_t total_steps = 0;   ///< Length of the cycle, in what the schedule counts. Required.
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
/// CosineAnnealingWarmRestarts (SGDR, https://arxiv.org/abs/1608.03983): cosine() over a period of t_0 steps, then
/// from base_lr again over periods that are each t_mult times as long as the one before. t_0 >= 1, t_mult >= 1, eta_min
/// >= 0.
LrSchedule cosine_with_restarts(int64_t t_0, int64_t t_mult = 1, double eta_min = 0.0);
/// LinearLR: base_lr * (start_factor + (end_factor - start_factor) * min(step, total) / total). total >= 1, 0 <
/// start_factor <= 1, 0 <= end_factor <= 1.
LrSchedule linear(int64_t total, double start_factor = 1.0 / 3.0, double end_factor = 1.0);
/// PolynomialLR: base_lr * (1 - min(step, total) / total)^power. total >= 1, power > 0.
LrSchedule polynomial(int64_t total, double power = 1.0);
/// OneCycleLR (https://arxiv.org/abs/1708.07120): up from max_lr / div_factor to max_lr until step pct_start *
/// total_steps - 1, then down until step total_steps - 1, and no further; the momentum the other way round. Where a
/// phase has no length, its end value. total_steps >= 1; 0 <= pct_start <= 1, with three_phase 0 < pct_start <= 0.5;
/// max_lr > 0, div_factor > 0, final_div_factor > 0; 0 <= base_momentum <= max_momentum < 1.
LrSchedule one_cycle(const OneCycleOptions& options);
/// SequentialLR of LinearLR(start_factor, end_factor=1, total_iters=steps) and `then`, which starts at its step 0 when
/// the warm-up is over: base_lr * (start_factor + (1 - start_factor) * step / steps) while step < steps. steps >= 1, 0
/// < start_factor <= 1.
LrSchedule linear_warmup(int64_t steps, double start_factor = 1.0 / 3.0, LrSchedule then = {});
/// SequentialLR: `schedules[i]` from `milestones[i - 1]` on, which is its step 0. One milestone less than schedules,
/// each above 0 and above the one before it.
LrSchedule sequential(std::vector<LrSchedule> schedules, std::vector<int64_t> milestones);
/// ChainedScheduler: each schedule takes as its initial rate what the one before it gives at the same step, so factors
/// multiply, and a floor (eta_min) holds for what comes before it. The momentum is that of the last one that gives any.
/// At least one schedule.
LrSchedule chained(std::vector<LrSchedule> schedules);

}  // namespace lr_schedule
}  // namespace troupe
