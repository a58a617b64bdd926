#pragma once

#include <filesystem>
#include <string>

namespace troupe {

/// Where a process is to die: at a visit of a fault point. No point: nowhere.
struct Fault {
  std::string point;
  int visit = 0;
};

/// What the process trains with.
struct KilledRun {
  std::filesystem::path run_dir;
  int num_threads = 1;
  std::string device;  ///< As TrainerOptions::device.
  Fault fault;
  std::filesystem::path visits_file;  ///< Where to write how often each fault point was visited; empty: nowhere.
};

/// One process's part of the run that the kill matrix kills: starts it, or takes it up again if there is something of
/// it. Operators' commands come at fixed places, unless the log has them already. Returns the process's exit status.
int train_until_killed(const KilledRun& run);

}  // namespace troupe
