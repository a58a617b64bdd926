#pragma once

#include <atomic>

namespace troupe {

/// Called at every fault point while it is set; null otherwise. For tests, which kill the process there. The name is a
/// string literal.
using FaultHook = void (*)(const char* point);
inline std::atomic<FaultHook> fault_hook{nullptr};

/// Marks a place where a process that dies must lose nothing. Costs one load.
inline void fault_point(const char* point) {
  if (const FaultHook hook = fault_hook.load(std::memory_order_relaxed)) {
    hook(point);
  }
}

}  // namespace troupe
