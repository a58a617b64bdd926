#include "troupe/callbacks/guarding/spike_window.h"

#include <doctest/doctest.h>

using namespace troupe;

namespace {

SpikeWindow window_of(const std::vector<double>& values, size_t size = 100) {
  SpikeWindow window(size);
  for (const double value : values) {
    window.add(value);
  }
  return window;
}

}  // namespace

TEST_CASE("a spike window keeps the latest values") {
  SpikeWindow window = window_of({1, 2, 3, 4}, 3);
  CHECK(window.values() == std::vector<double>{2, 3, 4});
  CHECK(window.last() == 4.0);
  window.set_values({5, 6, 7, 8});
  CHECK(window.values() == std::vector<double>{6, 7, 8});
  window.set_values({9});
  CHECK(window.values() == std::vector<double>{9});
  window.clear();
  CHECK(window.empty());
  CHECK_FALSE(window.last());
}

TEST_CASE("a spike window has the mean, the median and the median absolute deviation of its values") {
  const SpikeWindow odd = window_of({9, 1, 2, 4, 100});
  CHECK(odd.center(SpikeStatistic::kMean) == 23.2);
  CHECK(odd.center(SpikeStatistic::kMedian) == 4.0);
  CHECK(odd.median_absolute_deviation() == 3.0);  // Of 5, 3, 2, 0, 96.

  const SpikeWindow even = window_of({8, 1, 3, 2});
  CHECK(even.center(SpikeStatistic::kMean) == 3.5);
  CHECK(even.center(SpikeStatistic::kMedian) == 2.5);
  CHECK(even.median_absolute_deviation() == 1.0);  // Of 5.5, 1.5, 0.5, 0.5.

  const SpikeWindow one = window_of({-7});
  CHECK(one.center(SpikeStatistic::kMean) == -7.0);
  CHECK(one.center(SpikeStatistic::kMedian) == -7.0);
  CHECK(one.median_absolute_deviation() == 0.0);
}
