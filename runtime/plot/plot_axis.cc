#include "troupe/runtime/plot/plot_axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"

namespace troupe {
namespace {

constexpr double kLargest = 1e300;
constexpr double kSlack = 1e-9;      // A value this near to a tick, in steps, lies on it.
constexpr int kStepsWanted = 6;      // Of a linear axis, about.
constexpr int kDecadesLabelled = 9;  // At most; beyond that only every second, third, ... decade.

void check_value(double value, AxisScale scale, const std::string& name) {
  if (!std::isfinite(value) || std::abs(value) > kLargest) {
    throw ConfigError("plot: " + name + " has the value " + shortest_text(value) +
                      "; values must be finite and at most 1e300 in size");
  }
  if (scale == AxisScale::kLog10 && value <= 0) {
    throw ConfigError("plot: " + name + " has the value " + shortest_text(value) +
                      "; on a logarithmic axis values must be above 0");
  }
}

/// The double that is nearest to number * 10^exponent.
double decimal(int64_t number, int exponent) {
  const std::string text = std::to_string(number) + "e" + std::to_string(exponent);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string decade_label(int exponent, bool plain) {
  return plain ? shortest_text(decimal(1, exponent)) : "1e" + std::to_string(exponent);
}

}  // namespace

PlotAxis::PlotAxis(AxisScale scale, std::span<const double> values, const std::string& name) : scale_(scale) {
  if (values.empty()) {
    throw ConfigError("plot: " + name + " has no values");
  }
  for (const double value : values) {
    check_value(value, scale, name);
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (scale == AxisScale::kLinear) {
    choose_linear(*low, *high);
  } else {
    choose_log(*low, *high);
  }
}

void PlotAxis::choose_linear(double low, double high) {
  // A range too narrow to tell its ends apart is shown as one around the value.
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-12 * size || size < 1e-290) {
    const double margin = size < 1e-290 ? 1 : 0.1 * size;
    low -= margin;
    high += margin;
  }
  const double wanted = (high - low) / kStepsWanted;
  exponent_ = static_cast<int>(std::floor(std::log10(wanted)));
  const double ratio = wanted / decimal(1, exponent_);
  mantissa_ = ratio < std::sqrt(2.0) ? 1 : ratio < std::sqrt(10.0) ? 2 : ratio < std::sqrt(50.0) ? 5 : 10;
  first_ = std::llround(std::floor(low / step() + kSlack));
  last_ = std::llround(std::ceil(high / step() - kSlack));
}

void PlotAxis::choose_log(double low, double high) {
  const auto first = static_cast<int64_t>(std::floor(std::log10(low) + kSlack));
  const auto last = std::max(static_cast<int64_t>(std::ceil(std::log10(high) - kSlack)), first + 1);
  mantissa_ = (last - first + kDecadesLabelled - 1) / kDecadesLabelled;
  first_ = std::llround(std::floor(static_cast<double>(first) / step()));
  last_ = std::llround(std::ceil(static_cast<double>(last) / step()));
}

double PlotAxis::step() const {
  return decimal(mantissa_, exponent_);
}

double PlotAxis::fraction(double value) const {
  const double place = (scale_ == AxisScale::kLog10 ? std::log10(value) : value) / step();
  return (place - static_cast<double>(first_)) / static_cast<double>(last_ - first_);
}

std::vector<PlotTick> PlotAxis::ticks() const {
  return scale_ == AxisScale::kLinear ? linear_ticks() : log_ticks();
}

std::vector<PlotTick> PlotAxis::linear_ticks() const {
  constexpr int kDigitsMax = 6;  // More than these, or larger numbers, are written with an exponent.
  constexpr double kPlainMax = 1e7;
  const int digits = mantissa_ == 10 ? std::max(0, -exponent_ - 1) : std::max(0, -exponent_);
  const double largest =
      std::max(std::abs(decimal(first_ * mantissa_, exponent_)), std::abs(decimal(last_ * mantissa_, exponent_)));
  const bool plain = digits <= kDigitsMax && largest < kPlainMax;
  std::vector<PlotTick> ticks;
  for (int64_t i = first_; i <= last_; ++i) {
    const double value = decimal(i * mantissa_, exponent_);
    ticks.push_back({value, plain ? fixed_text(value, digits) : shortest_text(value)});
  }
  return ticks;
}

std::vector<PlotTick> PlotAxis::log_ticks() const {
  const bool plain = first_ * mantissa_ >= -2 && last_ * mantissa_ <= 3;
  std::vector<PlotTick> ticks;
  for (int64_t power = first_ * mantissa_; power <= last_ * mantissa_; ++power) {
    const auto exponent = static_cast<int>(power);
    ticks.push_back({decimal(1, exponent), power % mantissa_ == 0 ? decade_label(exponent, plain) : ""});
    for (int digit = 2; mantissa_ == 1 && power < last_ && digit < 10; ++digit) {
      ticks.push_back({decimal(digit, exponent), ""});
    }
  }
  return ticks;
}

}  // namespace troupe
