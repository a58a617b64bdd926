#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback_registry.h"
#include "troupe/runtime/replay/divergence.h"
#include "troupe/runtime/replay/recorded_callbacks.h"

namespace troupe {

struct ReplayOptions {
  std::filesystem::path run_directory;
  std::filesystem::path scratch;  ///< An empty folder: what the callbacks take for the run directory.
  std::string from = {};   ///< First place that is compared, as NamedPlace; empty: the beginning. All is fed, always.
  std::string until = {};  ///< Last place that is fed; empty: the end.
};

/// What a replay found.
struct ReplayReport {
  uint64_t events = 0;                         ///< Of the effective history that were fed.
  uint64_t decisions = 0;                      ///< In the log, of callbacks that were replayed.
  uint64_t reproduced = 0;                     ///< Of these.
  uint64_t diverged = 0;                       ///< Decisions and states that are not as recorded.
  uint64_t states_equal = 0;                   ///< States in checkpoints that are as replayed.
  std::optional<Divergence> first_divergence;  ///< Of the smallest seq.
  std::vector<NotReplayable> not_replayable;
  std::vector<std::string> unreadable;  ///< Checkpoints that are there and whose states could not be read, with why.
  std::string problem;                  ///< Why the part that was asked for has nothing in it; empty where it has.

  bool equal() const { return diverged == 0; }
};

/// Feeds the effective history of a run to its own callbacks, made anew from the configuration in its log, and compares
/// what they decide, and what they have for a state where a checkpoint was taken, with what was recorded. As recorded
/// are what clocks and operators decided, deadlines, restarts, detachments, and what the loop refused for its own
/// reasons; contradictions within a round are found again. The model is not needed. Nothing in the run directory is
/// written; hooks run on the calling thread, and what they do beyond their run directory they do again.
///
/// Memory does not grow with the log. Throws as EventLogReader, CorruptionError for a configuration in the log that
/// cannot be read, ConfigError for places that make no sense, and what load_state_dict throws.
ReplayReport replay_run(const CallbackRegistry& registry, const ReplayOptions& options);

}  // namespace troupe
