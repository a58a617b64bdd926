#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstdint>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// How far two tensors of one type and shape are from each other, added up piece by piece.
class ElementComparison {
 public:
  explicit ElementComparison(v1::DType dtype) : dtype_(dtype) {}

  /// The next elements of both: as many bytes, whole elements.
  void add(ByteView a, ByteView b);

  /// Elements whose bits differ: -0 and 0 do, one NaN and the same NaN do not.
  uint64_t differing() const { return differing_; }
  /// The largest |a - b|; infinity where only one of them is a NaN, or one is an infinity.
  double max_absolute() const { return max_absolute_; }
  /// The largest |a - b| / max(|a|, |b|): from 0 to 2; infinity where the absolute one is.
  double max_relative() const { return max_relative_; }

 private:
  void add_element(const std::byte* a, const std::byte* b);

  v1::DType dtype_;
  uint64_t differing_ = 0;
  double max_absolute_ = 0;
  double max_relative_ = 0;
};

}  // namespace troupe
