#include "troupe/callbacks/common/monitor.h"

namespace troupe {

std::string missing_metric(std::string_view callback, const std::string& metric, const RunState& run) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "'" : ", '") + name + "'"; };
  for (const auto& [name, value] : run.metrics()) {
    add(name);
  }
  for (const auto& rate : run.learning_rates()) {
    if (!run.metrics().contains(rate.name())) {
      add(rate.name());
    }
  }
  return std::string(callback) + ": metric '" + metric +
         "' is missing; logged so far: " + (names.empty() ? "nothing" : names);
}

}  // namespace troupe
