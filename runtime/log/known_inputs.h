#pragma once

#include <cstdint>
#include <filesystem>

#include "troupe/runtime/event/repeated_inputs.h"

namespace troupe {

/// Reads it for the event of seq `from_seq` of the effective history, which is RunStarted or a CheckpointTaken. Of the
/// processes that have run past it, the last one to reach a place says what happened there. Signals and operators'
/// stops are left out: they were about the process, and it ended. So are those of the run that this one was forked
/// from. Throws as EventLogReader.
KnownInputs read_known_inputs(const std::filesystem::path& events_dir, uint64_t from_seq);

}  // namespace troupe
