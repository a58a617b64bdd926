#pragma once

namespace troupe {

/// What an earlier process decided by the clock at a place that this one has come to.
enum class DecidedBefore {
  kUnknown,  ///< It did not come so far: the clock decides.
  kYes,
  kNo,
};

}  // namespace troupe
