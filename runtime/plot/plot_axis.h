#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe {

enum class AxisScale {
  kLinear,
  kLog10,  ///< Values must be above 0.
};

/// A place on an axis.
struct PlotTick {
  double value;
  std::string label;  ///< Empty between the decades of a logarithmic axis.
};

/// The range that an axis shows, and its ticks: the values, widened to the next ticks. A linear axis has ticks at
/// multiples of 1, 2 or 5 times a power of ten, a logarithmic one at decades, and between them where there is room.
class PlotAxis {
 public:
  /// `name` of the axis is for errors. Throws ConfigError when there are no values, or one is not finite, beyond 1e300,
  /// or, on a logarithmic axis, not above 0.
  PlotAxis(AxisScale scale, std::span<const double> values, const std::string& name);

  /// Where on the axis a value lies: 0 at its low end, 1 at its high end.
  double fraction(double value) const;
  /// In ascending order, the ends of the axis among them.
  std::vector<PlotTick> ticks() const;

 private:
  void choose_linear(double low, double high);
  void choose_log(double low, double high);
  double step() const;
  std::vector<PlotTick> linear_ticks() const;
  std::vector<PlotTick> log_ticks() const;

  AxisScale scale_;
  // Between labelled ticks lie mantissa_ * 10^exponent_; on a logarithmic axis mantissa_ decades.
  int64_t mantissa_ = 1;
  int exponent_ = 0;
  int64_t first_ = 0;  // The ends of the axis, in steps from tick to tick.
  int64_t last_ = 1;
};

}  // namespace troupe
