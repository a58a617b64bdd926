#include "troupe/callbacks/common/monitor.h"

namespace troupe {

std::string logged_metric_names(const RunState& run) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "`" : ", `") + name + "`"; };
  for (const auto& [name, value] : run.metrics()) {
    add(name);
  }
  for (const auto& rate : run.learning_rates()) {
    if (!run.metrics().contains(rate.name())) {
      add(rate.name());
    }
  }
  return names.empty() ? "none" : names;
}

}  // namespace troupe
