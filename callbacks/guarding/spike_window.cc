#include "troupe/callbacks/guarding/spike_window.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace troupe {
namespace {

double median_of(std::vector<double> values) {
  assert(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

double mean_of(const std::vector<double>& values) {
  assert(!values.empty());
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

void SpikeWindow::add(double value) {
  assert(std::isfinite(value));
  if (values_.size() == size_) {
    values_.erase(values_.begin());
  }
  values_.push_back(value);
}

void SpikeWindow::set_values(std::vector<double> values) {
  const size_t kept = std::min(values.size(), size_);
  values_.assign(values.end() - static_cast<std::ptrdiff_t>(kept), values.end());
}

double SpikeWindow::center(SpikeStatistic statistic) const {
  return statistic == SpikeStatistic::kMean ? mean_of(values_) : median_of(values_);
}

double SpikeWindow::median_absolute_deviation() const {
  const double median = median_of(values_);
  std::vector<double> distances = values_;
  for (double& distance : distances) {
    distance = std::fabs(distance - median);
  }
  return median_of(std::move(distances));
}

}  // namespace troupe
