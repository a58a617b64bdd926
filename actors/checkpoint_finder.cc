#include "actors/checkpoint_finder.h"

#include <algorithm>
#include <iostream>
#include <vector>

#include "runtime/error.h"
#include "runtime/event_history.h"
#include "runtime/run_directory.h"
#include "runtime/run_lookup.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Checkpoints of the run that were taken and not removed, newest first, as far as their files exist; `best`: those
/// alone that were the best by the monitor that the run's best checkpoint has.
std::vector<fs::path> newest_first(const fs::path& run, const RunState& state, bool best) {
  const auto& infos = state.checkpoints();
  const auto named =
      std::find_if(infos.begin(), infos.end(), [&](const auto& i) { return i.path() == state.best_checkpoint(); });
  if (best && named == infos.end()) {
    throw ConfigError("resume 'best': run " + run.string() + " has no best checkpoint: no ModelCheckpoint saved one");
  }
  std::vector<fs::path> files;
  for (auto info = infos.rbegin(); info != infos.rend(); ++info) {
    const bool wanted = !best || (info->best() && info->monitor() == named->monitor());
    if (wanted && info->state() != v1::CheckpointInfo::FAILED && fs::exists(run / info->path())) {
      files.push_back(run / info->path());
    }
  }
  return files;
}

FoundCheckpoint newest_sound(const fs::path& run, const std::vector<fs::path>& files, CheckpointUse use) {
  for (const auto& file : files) {
    try {
      auto data = read_checkpoint(file);
      if (data.training_state || use == CheckpointUse::kWeights) {
        return {file, run, std::move(data)};
      }
    } catch (const CorruptionError& error) {
      std::cerr << "troupe: warning: checkpoint " + file.string() + " is damaged (" + error.what() +
                       "); trying the one before it\n";
    }
  }
  throw CorruptionError("resume: run " + run.string() + " has no sound checkpoint to start from (" +
                        std::to_string(files.size()) + " looked at)");
}

}  // namespace

FoundCheckpoint find_checkpoint(const std::string& what, const TrainerOptions& options, CheckpointUse use) {
  const fs::path run = run_to_resume(what, options);
  if (what != "last" && what != "best" && !fs::is_directory(what)) {
    return {what, run, read_checkpoint(what)};
  }
  const RunState state = fold_event_log(RunPaths{run}.events());
  return newest_sound(run, newest_first(run, state, what == "best"), use);
}

}  // namespace troupe
