#include "troupe/runtime/checkpoint/element_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/checkpoint/element_value.h"

namespace troupe {
namespace {

/// Exact also where a double cannot hold the two integers.
double distance(v1::DType dtype, const std::byte* a, const std::byte* b) {
  if (dtype == v1::DTYPE_INT64) {
    const auto x = load_integer<int64_t>(a);
    const auto y = load_integer<int64_t>(b);
    const auto larger = static_cast<uint64_t>(std::max(x, y));
    return static_cast<double>(larger - static_cast<uint64_t>(std::min(x, y)));
  }
  const double x = element_value(dtype, a);
  const double y = element_value(dtype, b);
  if (std::isnan(x) && std::isnan(y)) {
    return 0;
  }
  const double difference = std::abs(x - y);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

}  // namespace

void ElementComparison::add(ByteView a, ByteView b) {
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) {
    return;
  }
  const size_t size = dtype_bytes(dtype_);
  for (size_t at = 0; at < a.size(); at += size) {
    if (std::memcmp(a.data() + at, b.data() + at, size) != 0) {
      ++differing_;
      add_element(a.data() + at, b.data() + at);
    }
  }
}

void ElementComparison::add_element(const std::byte* a, const std::byte* b) {
  const double absolute = distance(dtype_, a, b);
  const double scale = std::max(std::abs(element_value(dtype_, a)), std::abs(element_value(dtype_, b)));
  max_absolute_ = std::max(max_absolute_, absolute);
  if (absolute > 0) {
    max_relative_ = std::max(max_relative_, std::isinf(absolute) ? absolute : absolute / scale);
  }
}

}  // namespace troupe
