#include "troupe/actors/run/run_opening.h"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <utility>
#include <vector>

#include "troupe/actors/run/run_environment.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

int64_t now_unix_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// One line for each thing that the determinism contract depends on and that is another one now.
std::vector<std::string> differences(const FoundCheckpoint& found, const v1::Environment& now, uint64_t seed) {
  auto lines = environment_differences(found.data.header.environment(), now);
  if (found.data.training_state && found.data.training_state->seed() != seed) {
    lines.push_back("seed: " + std::to_string(found.data.training_state->seed()) + " before, " + std::to_string(seed) +
                    " now");
  }
  return lines;
}

}  // namespace

RunStarted run_started(const OpeningFacts& facts, Stage stage, const std::string& run_id) {
  RunStarted started;
  started.set_run_id(run_id);
  started.set_name(facts.name);
  started.set_started_at_unix_us(now_unix_us());
  started.set_stage(stage);
  started.set_config_json(facts.config_json);
  started.set_seed(facts.seed);
  *started.mutable_environment() = facts.environment;
  return started;
}

RunResumed run_resumed(const OpeningFacts& facts, const FoundCheckpoint& found, const EventLogWriter& log,
                       RunResumed resumed) {
  const auto& header = found.data.header;
  if (log.last_seq() < header.seq()) {
    throw CorruptionError("resume: " + found.file.string() + " was taken at seq " + std::to_string(header.seq()) +
                          ", but the run's log ends at seq " + std::to_string(log.last_seq()) + ": it has lost events");
  }
  resumed.set_incarnation(log.incarnation() + 1);
  resumed.set_from_seq(header.seq());
  resumed.set_superseded_events(log.last_seq() - header.seq());
  resumed.set_resumed_at_unix_us(now_unix_us());
  resumed.set_forked_from(found.forked_from);
  resumed.set_config_json(facts.config_json);
  *resumed.mutable_environment() = facts.environment;
  for (const auto& difference : differences(found, resumed.environment(), facts.seed)) {
    std::cerr << "troupe: warning: the run goes on in another environment, so it may differ in its last bits: " +
                     difference + "\n";
    resumed.add_environment_differences(difference);
  }
  if (found.starts_over()) {
    resumed.clear_fit();  // FitStarted will tell.
  } else {
    const auto relative = std::filesystem::proximate(found.file, found.run_directory);
    resumed.set_checkpoint(relative.string());
    *resumed.mutable_fit()->mutable_param_groups() =
        found.data.run_state.fit().param_groups();  // As they were at the start.
  }
  return resumed;
}

}  // namespace troupe
