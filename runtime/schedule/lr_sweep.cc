#include "troupe/runtime/schedule/lr_sweep.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"

namespace troupe {
namespace {

void require_sweep(bool holds, const std::string& what) {
  if (!holds) {
    throw ConfigError("learning-rate sweep: " + what);
  }
}

/// dy/dx at point i of points in ascending x: second-order differences for any spacing inside, first-order ones at both
/// ends (as numpy.gradient).
double slope_at(const std::vector<double>& x, const std::vector<double>& y, size_t i) {
  if (i == 0) {
    return (y[1] - y[0]) / (x[1] - x[0]);
  }
  const double before = x[i] - x[i - 1];
  if (i + 1 == x.size()) {
    return (y[i] - y[i - 1]) / before;
  }
  const double after = x[i + 1] - x[i];
  return (before * before * (y[i + 1] - y[i]) + after * after * (y[i] - y[i - 1])) /
         (before * after * (before + after));
}

}  // namespace

void LrSweepOptions::validate() const {
  require_sweep(min_lr > 0 && max_lr > min_lr && std::isfinite(max_lr),
                "min_lr and max_lr must be finite with 0 < min_lr < max_lr, got " + shortest_text(min_lr) + " and " +
                    shortest_text(max_lr));
  require_sweep(steps >= 2, "steps must be at least 2, got " + std::to_string(steps));
  require_sweep(smoothing >= 0 && smoothing < 1, "smoothing must be in [0, 1), got " + shortest_text(smoothing));
  require_sweep(early_stop_threshold >= 1,
                "early_stop_threshold must be at least 1, got " + shortest_text(early_stop_threshold));
  require_sweep(skip_begin >= 0 && skip_end >= 0, "skip_begin and skip_end must be at least 0, got " +
                                                      std::to_string(skip_begin) + " and " + std::to_string(skip_end));
}

double lr_sweep_rate(const LrSweepOptions& options, int64_t step) {
  if (step == options.steps - 1) {
    return options.max_lr;
  }
  const double done = static_cast<double>(step) / static_cast<double>(options.steps - 1);
  return options.spacing == LrSpacing::kLinear ? options.min_lr + done * (options.max_lr - options.min_lr)
                                               : options.min_lr * std::pow(options.max_lr / options.min_lr, done);
}

std::vector<double> smooth_losses(std::span<const double> losses, double smoothing) {
  std::vector<double> smoothed;
  smoothed.reserve(losses.size());
  double mean = 0;
  double remainder = 1;  // smoothing^(t+1): the weight that the start at 0 still has.
  for (const double loss : losses) {
    mean = smoothing * mean + (1 - smoothing) * loss;
    remainder *= smoothing;
    smoothed.push_back(mean / (1 - remainder));
  }
  return smoothed;
}

bool lr_sweep_diverged(std::span<const double> smoothed_losses, double threshold) {
  if (smoothed_losses.empty()) {
    return false;
  }
  const double last = smoothed_losses.back();
  if (!std::isfinite(last)) {
    return true;
  }
  if (smoothed_losses.size() == 1) {
    return false;
  }
  const double best = *std::min_element(smoothed_losses.begin(), smoothed_losses.end() - 1);
  return last > best + (threshold - 1) * std::abs(best);
}

std::optional<size_t> suggest_learning_rate(const LrSweepOptions& options, std::span<const double> rates,
                                            std::span<const double> smoothed_losses) {
  require_sweep(rates.size() == smoothed_losses.size(),
                std::to_string(rates.size()) + " rates, but " + std::to_string(smoothed_losses.size()) + " losses");
  std::vector<size_t> indices;
  std::vector<double> x;
  std::vector<double> y;
  for (auto i = static_cast<size_t>(options.skip_begin); i + static_cast<size_t>(options.skip_end) < rates.size();
       ++i) {
    if (std::isfinite(smoothed_losses[i])) {
      indices.push_back(i);
      x.push_back(options.spacing == LrSpacing::kLinear ? rates[i] : std::log(rates[i]));
      y.push_back(smoothed_losses[i]);
    }
  }
  std::optional<size_t> best;
  double steepest = 0;
  for (size_t i = 0; indices.size() > 1 && i < indices.size(); ++i) {
    if (const double slope = slope_at(x, y, i); slope < steepest) {
      steepest = slope;
      best = indices[i];
    }
  }
  return best;
}

}  // namespace troupe
