#pragma once

#include <atomic>
#include <cstdint>

namespace troupe {

/// What became of one callback's events. Its actor counts, any thread reads.
struct CallbackCounters {
  std::atomic<uint64_t> delivered{0};
  std::atomic<uint64_t> failures{0};
  std::atomic<uint64_t> hook_us{0};
  std::atomic<uint32_t> restarts{0};
  std::atomic<uint64_t> skipped{0};
  /// When the present piece of work was begun, in microseconds of the steady clock; 0 while there is none.
  std::atomic<int64_t> working_since_us{0};
};

}  // namespace troupe
