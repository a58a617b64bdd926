#include "troupe/runtime/schedule/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/options/schedule_argument.h"

namespace troupe {
namespace {

void require_gamma(const char* schedule, double gamma) {
  require_argument(gamma > 0 && std::isfinite(gamma), schedule, "gamma", gamma, "above 0");
}

void require_eta_min(const char* schedule, double eta_min) {
  require_argument(eta_min >= 0 && std::isfinite(eta_min), schedule, "eta_min", eta_min, "at least 0");
}

double annealed(double base_lr, double eta_min, int64_t step, int64_t period) {
  const double angle = std::numbers::pi * static_cast<double>(step) / static_cast<double>(period);
  return eta_min + (base_lr - eta_min) * (1 + std::cos(angle)) / 2;
}

bool any_cycles_momentum(const std::vector<LrSchedule>& schedules) {
  return std::any_of(schedules.begin(), schedules.end(), [](const auto& one) { return one.cycles_momentum(); });
}

std::string names_of(const std::vector<LrSchedule>& schedules) {
  std::string names;
  for (const auto& one : schedules) {
    names.append(names.empty() ? "" : ", ").append(one.name());
  }
  return names;
}

std::string list_text(const std::vector<int64_t>& values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) {
    text.append(i == 0 ? "" : ", ").append(argument_text(values[i]));
  }
  return text.append("]");
}

}  // namespace

LrSchedule::LrSchedule() : LrSchedule("initial", [](double base_lr, int64_t) { return base_lr; }) {}

LrSchedule::LrSchedule(std::string name, Function function, MomentumFunction momentum)
    : name_(std::move(name)), function_(std::move(function)), momentum_(std::move(momentum)) {
  if (!function_) {
    throw ConfigError("learning-rate schedule " + name_ + ": has no function");
  }
}

namespace lr_schedule {

LrSchedule constant(double factor, int64_t total) {
  require_argument(factor >= 0 && factor <= 1, "constant", "factor", factor, "in [0, 1]");
  require_argument(total >= 0, "constant", "total", total, "at least 0");
  return {"constant(factor=" + argument_text(factor) + ", total=" + argument_text(total) + ")",
          [=](double base_lr, int64_t step) { return step < total ? base_lr * factor : base_lr; }};
}

LrSchedule step(int64_t step_size, double gamma) {
  require_argument(step_size >= 1, "step", "step_size", step_size, "at least 1");
  require_gamma("step", gamma);
  return {"step(step_size=" + argument_text(step_size) + ", gamma=" + argument_text(gamma) + ")",
          [=](double base_lr, int64_t at) {
            const int64_t decays = at / step_size;
            return base_lr * std::pow(gamma, static_cast<double>(decays));
          }};
}

LrSchedule multi_step(std::vector<int64_t> milestones, double gamma) {
  require_argument(!milestones.empty(), "multi_step", "number of milestones", milestones.size(), "at least 1");
  require_argument(milestones.empty() || milestones.front() >= 0, "multi_step", "first milestone", milestones.front(),
                   "at least 0");
  const auto unsorted = std::is_sorted_until(milestones.begin(), milestones.end());
  require_argument(unsorted == milestones.end(), "multi_step", "milestone",
                   unsorted == milestones.end() ? 0 : *unsorted, "no less than the one before it");
  require_gamma("multi_step", gamma);
  std::string name = "multi_step(milestones=" + list_text(milestones) + ", gamma=" + argument_text(gamma) + ")";
  return {std::move(name), [milestones = std::move(milestones), gamma](double base_lr, int64_t step) {
            const auto passed = std::upper_bound(milestones.begin(), milestones.end(), step) - milestones.begin();
            return base_lr * std::pow(gamma, static_cast<double>(passed));
          }};
}

LrSchedule exponential(double gamma) {
  require_gamma("exponential", gamma);
  return {"exponential(gamma=" + argument_text(gamma) + ")",
          [=](double base_lr, int64_t step) { return base_lr * std::pow(gamma, static_cast<double>(step)); }};
}

LrSchedule cosine(int64_t t_max, double eta_min) {
  require_argument(t_max >= 1, "cosine", "t_max", t_max, "at least 1");
  require_eta_min("cosine", eta_min);
  return {"cosine(t_max=" + argument_text(t_max) + ", eta_min=" + argument_text(eta_min) + ")",
          [=](double base_lr, int64_t step) { return annealed(base_lr, eta_min, step, t_max); }};
}

LrSchedule cosine_with_restarts(int64_t t_0, int64_t t_mult, double eta_min) {
  require_argument(t_0 >= 1, "cosine_with_restarts", "t_0", t_0, "at least 1");
  require_argument(t_mult >= 1, "cosine_with_restarts", "t_mult", t_mult, "at least 1");
  require_eta_min("cosine_with_restarts", eta_min);
  return {"cosine_with_restarts(t_0=" + argument_text(t_0) + ", t_mult=" + argument_text(t_mult) +
              ", eta_min=" + argument_text(eta_min) + ")",
          [=](double base_lr, int64_t step) {
            if (t_mult == 1) {
              return annealed(base_lr, eta_min, step % t_0, t_0);
            }
            int64_t period = t_0;
            while (step >= period) {
              step -= period;
              constexpr int64_t kLongest = std::numeric_limits<int64_t>::max();
              period = period > kLongest / t_mult ? kLongest : period * t_mult;
            }
            return annealed(base_lr, eta_min, step, period);
          }};
}

LrSchedule linear(int64_t total, double start_factor, double end_factor) {
  require_argument(total >= 1, "linear", "total", total, "at least 1");
  require_argument(start_factor > 0 && start_factor <= 1, "linear", "start_factor", start_factor, "in (0, 1]");
  require_argument(end_factor >= 0 && end_factor <= 1, "linear", "end_factor", end_factor, "in [0, 1]");
  return {"linear(total=" + argument_text(total) + ", start_factor=" + argument_text(start_factor) +
              ", end_factor=" + argument_text(end_factor) + ")",
          [=](double base_lr, int64_t step) {
            const double way = static_cast<double>(std::min(total, step)) / static_cast<double>(total);
            return base_lr * (start_factor + (end_factor - start_factor) * way);
          }};
}

LrSchedule polynomial(int64_t total, double power) {
  require_argument(total >= 1, "polynomial", "total", total, "at least 1");
  require_argument(power > 0 && std::isfinite(power), "polynomial", "power", power, "above 0");
  return {"polynomial(total=" + argument_text(total) + ", power=" + argument_text(power) + ")",
          [=](double base_lr, int64_t step) {
            const double way = static_cast<double>(std::min(total, step)) / static_cast<double>(total);
            return base_lr * std::pow(1 - way, power);
          }};
}

LrSchedule linear_warmup(int64_t steps, double start_factor, LrSchedule then) {
  require_argument(steps >= 1, "linear_warmup", "steps", steps, "at least 1");
  require_argument(start_factor > 0 && start_factor <= 1, "linear_warmup", "start_factor", start_factor, "in (0, 1]");
  std::string name = "linear_warmup(steps=" + argument_text(steps) + ", start_factor=" + argument_text(start_factor) +
                     ", then=" + then.name() + ")";
  auto warm_up = LrSchedule("linear", [=](double base_lr, int64_t step) {
    return base_lr * (start_factor + (1 - start_factor) * static_cast<double>(step) / static_cast<double>(steps));
  });
  const LrSchedule both = sequential({std::move(warm_up), std::move(then)}, {steps});
  LrSchedule::MomentumFunction momentum;
  if (both.cycles_momentum()) {
    momentum = [both](int64_t step) { return both.momentum(step); };
  }
  return {std::move(name), both, std::move(momentum)};
}

LrSchedule sequential(std::vector<LrSchedule> schedules, std::vector<int64_t> milestones) {
  require_argument(!schedules.empty(), "sequential", "number of schedules", schedules.size(), "at least 1");
  require_argument(milestones.size() + 1 == schedules.size(), "sequential", "number of milestones", milestones.size(),
                   "one less than that of the schedules");
  int64_t before = 0;
  for (const int64_t milestone : milestones) {
    require_argument(milestone > before, "sequential", "milestone", milestone, "above 0 and above the one before it");
    before = milestone;
  }
  std::string name = "sequential(schedules=[" + names_of(schedules) + "], milestones=" + list_text(milestones) + ")";
  const bool cycles_momentum = any_cycles_momentum(schedules);
  // Which schedule a step belongs to, and its own step there.
  const auto place = [milestones = std::move(milestones)](int64_t step) {
    const auto next = std::upper_bound(milestones.begin(), milestones.end(), step);
    return std::pair(static_cast<size_t>(next - milestones.begin()),
                     next == milestones.begin() ? step : step - *(next - 1));
  };
  LrSchedule::MomentumFunction momentum;
  if (cycles_momentum) {
    momentum = [schedules, place](int64_t step) {
      const auto [index, own_step] = place(step);
      return schedules[index].momentum(own_step);
    };
  }
  return {std::move(name),
          [schedules = std::move(schedules), place](double base_lr, int64_t step) {
            const auto [index, own_step] = place(step);
            return schedules[index](base_lr, own_step);
          },
          std::move(momentum)};
}

LrSchedule chained(std::vector<LrSchedule> schedules) {
  require_argument(!schedules.empty(), "chained", "number of schedules", schedules.size(), "at least 1");
  std::string name = "chained(schedules=[" + names_of(schedules) + "])";
  LrSchedule::MomentumFunction momentum;
  if (any_cycles_momentum(schedules)) {
    momentum = [schedules](int64_t step) {
      std::optional<double> last;
      for (const auto& one : schedules) {
        const auto given = one.momentum(step);
        last = given ? given : last;
      }
      return last;
    };
  }
  return {std::move(name),
          [schedules = std::move(schedules)](double base_lr, int64_t step) {
            for (const auto& one : schedules) {
              base_lr = one(base_lr, step);
            }
            return base_lr;
          },
          std::move(momentum)};
}

}  // namespace lr_schedule
}  // namespace troupe
