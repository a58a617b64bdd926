#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "tests/support/tiny_fit.h"

namespace troupe {

/// The metrics that callbacks logged by command: by the number of optimizer steps at that place, then by name.
inline std::map<uint64_t, std::map<std::string, double>> commanded_metrics(const std::filesystem::path& run_dir) {
  std::map<uint64_t, std::map<std::string, double>> metrics;
  for (const auto& event : events_of<CommandApplied>(run_dir)) {
    if (const auto& command = event.command_applied().command(); command.has_log_metric()) {
      metrics[event.position().global_step()][command.log_metric().name()] = command.log_metric().value();
    }
  }
  return metrics;
}

}  // namespace troupe
