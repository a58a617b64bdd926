#pragma once

#include <string>

#include "troupe/actors/storage/checkpoint_finder.h"
#include "troupe/runtime/log/event_log_writer.h"

namespace troupe {

// The first event of a process's part of a run.

/// What every opening says.
struct OpeningFacts {
  std::string name;         ///< Of the run, as the trainer options give it.
  std::string config_json;  ///< The effective configuration.
  uint64_t seed;
  v1::Environment environment;
};

RunStarted run_started(const OpeningFacts& facts, Stage stage, const std::string& run_id);

/// The run goes on from `found` in the log that `log` has opened, which is another run's up to there where
/// `found.forked_from` names one; what differs in the environment is reported on
/// standard error too. `resumed`: as FitRun::resumed() gives it. Throws CorruptionError when the log ends before the
/// checkpoint.
RunResumed run_resumed(const OpeningFacts& facts, const FoundCheckpoint& found, const EventLogWriter& log,
                       RunResumed resumed);

}  // namespace troupe
