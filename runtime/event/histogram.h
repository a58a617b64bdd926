#pragma once

#include <span>
#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Counts values into `buckets` ranges of equal width from the smallest to the largest; a value on a border counts in
/// the range above it, the largest one in the last range. Where all are equal there is one range. Values that are not
/// finite are counted apart, and are in none of the sums. The same values always give the same histogram. Throws
/// ConfigError unless 1 <= buckets <= 4096.
HistogramLogged make_histogram(std::string name, std::span<const double> values, int buckets);
HistogramLogged make_histogram(std::string name, std::span<const float> values, int buckets);

}  // namespace troupe
