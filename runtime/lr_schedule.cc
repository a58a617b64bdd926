#include "runtime/lr_schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "runtime/error.h"

namespace troupe {
namespace {

/// The shortest text that reads back as the same number.
template <class T>
std::string text_of(T value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// Throws ConfigError unless `allowed` holds. Written so that NaN never passes: compare for what is allowed, not for
/// what is not.
template <class T>
void require(bool allowed, const char* schedule, const char* argument, T value, const char* range) {
  if (!allowed) {
    throw ConfigError(std::string("learning-rate schedule ") + schedule + ": " + argument + " = " + text_of(value) +
                      ": must be " + range);
  }
}

void require_gamma(const char* schedule, double gamma) {
  require(gamma > 0 && std::isfinite(gamma), schedule, "gamma", gamma, "above 0");
}

}  // namespace

LrSchedule::LrSchedule() : LrSchedule("initial", [](double base_lr, int64_t) { return base_lr; }) {}

LrSchedule::LrSchedule(std::string name, Function function) : name_(std::move(name)), function_(std::move(function)) {
  if (!function_) {
    throw ConfigError("learning-rate schedule " + name_ + ": has no function");
  }
}

namespace lr_schedule {

LrSchedule constant(double factor, int64_t total) {
  require(factor >= 0 && factor <= 1, "constant", "factor", factor, "in [0, 1]");
  require(total >= 0, "constant", "total", total, "at least 0");
  return {"constant(factor=" + text_of(factor) + ", total=" + text_of(total) + ")",
          [=](double base_lr, int64_t step) { return step < total ? base_lr * factor : base_lr; }};
}

LrSchedule step(int64_t step_size, double gamma) {
  require(step_size >= 1, "step", "step_size", step_size, "at least 1");
  require_gamma("step", gamma);
  return {"step(step_size=" + text_of(step_size) + ", gamma=" + text_of(gamma) + ")", [=](double base_lr, int64_t at) {
            const int64_t decays = at / step_size;
            return base_lr * std::pow(gamma, static_cast<double>(decays));
          }};
}

LrSchedule multi_step(std::vector<int64_t> milestones, double gamma) {
  require(!milestones.empty(), "multi_step", "number of milestones", milestones.size(), "at least 1");
  require(milestones.empty() || milestones.front() >= 0, "multi_step", "first milestone", milestones.front(),
          "at least 0");
  const auto unsorted = std::is_sorted_until(milestones.begin(), milestones.end());
  require(unsorted == milestones.end(), "multi_step", "milestone", unsorted == milestones.end() ? 0 : *unsorted,
          "no less than the one before it");
  require_gamma("multi_step", gamma);
  std::string name = "multi_step(milestones=[";
  for (size_t i = 0; i < milestones.size(); ++i) {
    name.append(i == 0 ? "" : ", ").append(text_of(milestones[i]));
  }
  name.append("], gamma=").append(text_of(gamma)).append(")");
  return {std::move(name), [milestones = std::move(milestones), gamma](double base_lr, int64_t step) {
            const auto passed = std::upper_bound(milestones.begin(), milestones.end(), step) - milestones.begin();
            return base_lr * std::pow(gamma, static_cast<double>(passed));
          }};
}

LrSchedule exponential(double gamma) {
  require_gamma("exponential", gamma);
  return {"exponential(gamma=" + text_of(gamma) + ")",
          [=](double base_lr, int64_t step) { return base_lr * std::pow(gamma, static_cast<double>(step)); }};
}

LrSchedule cosine(int64_t t_max, double eta_min) {
  require(t_max >= 1, "cosine", "t_max", t_max, "at least 1");
  require(eta_min >= 0 && std::isfinite(eta_min), "cosine", "eta_min", eta_min, "at least 0");
  return {"cosine(t_max=" + text_of(t_max) + ", eta_min=" + text_of(eta_min) + ")", [=](double base_lr, int64_t step) {
            const double angle = std::numbers::pi * static_cast<double>(step) / static_cast<double>(t_max);
            return eta_min + (base_lr - eta_min) * (1 + std::cos(angle)) / 2;
          }};
}

LrSchedule linear_warmup(int64_t steps, double start_factor, LrSchedule then) {
  require(steps >= 1, "linear_warmup", "steps", steps, "at least 1");
  require(start_factor > 0 && start_factor <= 1, "linear_warmup", "start_factor", start_factor, "in (0, 1]");
  std::string name = "linear_warmup(steps=" + text_of(steps) + ", start_factor=" + text_of(start_factor) +
                     ", then=" + then.name() + ")";
  return {std::move(name), [=, then = std::move(then)](double base_lr, int64_t step) {
            if (step >= steps) {
              return then(base_lr, step - steps);
            }
            return base_lr *
                   (start_factor + (1 - start_factor) * static_cast<double>(step) / static_cast<double>(steps));
          }};
}

}  // namespace lr_schedule
}  // namespace troupe
