#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "troupe/runtime/event/run_state.h"

namespace troupe {

/// How far one thing of a run is.
struct Progress {
  std::string title;                              ///< "Epoch 3/20"
  uint64_t done = 0;                              ///< Batches.
  uint64_t total = 0;                             ///< 0: not known.
  uint64_t done_before = 0;                       ///< Of `done`, those before it was timed.
  std::chrono::steady_clock::time_point started;  ///< Since when it is timed.
};

/// "Epoch 3/20  62% |######    | 31/50 [00:12<00:08, 2.5 it/s]"; without a total "Test 31 [00:12, 2.5 it/s]".
std::string format_progress_bar(const Progress& progress, std::chrono::steady_clock::time_point now);

/// "Epoch 3/20: 31/50 [00:12<00:08, 2.5 it/s]".
std::string format_progress_line(const Progress& progress, std::chrono::steady_clock::time_point now);

/// Latest values of what was logged for progress displays, in three digits, with a space before each: " loss=0.123
/// val_loss=0.2".
std::string format_progress_metrics(const RunState& run);

}  // namespace troupe
