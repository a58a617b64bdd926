#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/schedule/lr_sweep.h"

namespace troupe {

/// What a learning-rate sweep has seen: a point for each step, in the order of the steps.
struct LrCurve {
  std::vector<double> rates = {};
  std::vector<double> losses = {};
  std::vector<double> smoothed_losses = {};
  std::optional<size_t> suggestion = std::nullopt;  ///< Index of the point that is suggested.

  std::optional<double> suggested_rate() const { return suggestion ? std::optional(rates[*suggestion]) : std::nullopt; }
};

/// The curve as CSV: the columns lr, loss and smoothed_loss, a row a step.
std::string lr_curve_csv(const LrCurve& curve);

/// The smoothed loss over the rate as an SVG document, with the suggestion marked. Points that are not finite are left
/// out; empty where none is left.
std::string lr_curve_svg(const LrCurve& curve, LrSpacing spacing);

}  // namespace troupe
