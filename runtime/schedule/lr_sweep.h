#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace troupe {

/// How the rates of a sweep are spaced.
enum class LrSpacing {
  kExponential,  ///< Each is the one before times the same factor.
  kLinear,       ///< Each is the one before plus the same amount.
};

/// A learning-rate range test: train a few steps with a rate that rises from step to step, and look where the loss
/// falls fastest and where it explodes (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017). What is
/// here is arithmetic: who runs the steps is Live::run_trial (runtime/loop/live.h). Names are those of Lightning's
/// LearningRateFinder.
struct LrSweepOptions {
  double early_stop_threshold = 4.0;  ///< At least 1; infinity: never stop early. See lr_sweep_diverged.
  double max_lr = 1.0;                ///< Of the last step; above min_lr.
  double min_lr = 1e-8;               ///< Of the first step; above 0.
  int64_t skip_begin = 10;            ///< Points at the start that are not suggested: the mean is young there.
  int64_t skip_end = 1;               ///< Points at the end that are not suggested.
  double smoothing = 0.98;  ///< Weight of what came before in the mean of the losses; 0: no smoothing. Below 1.
  LrSpacing spacing = LrSpacing::kExponential;
  int64_t steps = 100;  ///< At least 2.

  /// Throws ConfigError for options that make no sense.
  void validate() const;
};

/// The rate of step 0, 1, ..., steps - 1: exactly min_lr at the first, exactly max_lr at the last. (Lightning's never
/// visits the second of these rates.) `options` must be valid.
double lr_sweep_rate(const LrSweepOptions& options, int64_t step);

/// The exponential mean of the losses so far, one value a loss, corrected for its start at 0 (Kingma and Ba, "Adam",
/// 2015, section 3): with m[t] = smoothing * m[t-1] + (1 - smoothing) * loss[t], it is m[t] / (1 - smoothing^(t+1)), so
/// a constant loss is its own mean from the first step on. (Lightning divides by the next step's correction: a constant
/// loss of 1 starts at 0.505.) What follows a loss that is not finite is not finite.
std::vector<double> smooth_losses(std::span<const double> losses, double smoothing);

/// Whether there is no point in going on: the last of the smoothed losses is not finite, or more than `threshold` times
/// the smallest before it (for a smallest one below 0: above it by threshold - 1 times its size).
bool lr_sweep_diverged(std::span<const double> smoothed_losses, double threshold);

/// Index of the point where the smoothed loss falls fastest as the rate rises, by central differences over the
/// logarithm of the rate for an exponential sweep and over the rate for a linear one: over the axis on which the points
/// are evenly spaced. (Lightning takes the rate for both, where the smallest rates, a billionth apart, blow up the
/// noise of their losses.) Points that are skipped, or not finite, do not count. Nothing where fewer than two points
/// are left or the loss falls nowhere. Throws ConfigError where the numbers of rates and losses differ.
std::optional<size_t> suggest_learning_rate(const LrSweepOptions& options, std::span<const double> rates,
                                            std::span<const double> smoothed_losses);

}  // namespace troupe
