#pragma once

#include <atomic>
#include <chrono>

namespace troupe {

/// Added to the run's clock. For tests, which put it forward where a program would wait. Only grows.
inline std::atomic<int64_t> run_clock_offset_us{0};

/// The clock by which a run's elapsed time goes: monotonic.
inline std::chrono::steady_clock::time_point run_clock_now() {
  return std::chrono::steady_clock::now() +
         std::chrono::microseconds(run_clock_offset_us.load(std::memory_order_relaxed));
}

}  // namespace troupe
