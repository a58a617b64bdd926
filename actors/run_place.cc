#include "actors/run_place.h"

#include "runtime/error.h"
#include "runtime/run_directory.h"
#include "runtime/run_fork.h"
#include "runtime/utf8.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// "<folder>/001", or the first number after it that is free.
fs::path next_numbered(const fs::path& folder) {
  for (int number = 1;; ++number) {
    std::string name = std::to_string(number);
    name.insert(0, name.size() < 3 ? 3 - name.size() : 0, '0');
    if (!fs::exists(folder / name)) {
      return folder / name;
    }
  }
}

}  // namespace

std::string run_name(const fs::path& run_directory) {
  const fs::path path = fs::absolute(run_directory).lexically_normal();
  return to_utf8((path.has_filename() ? path : path.parent_path()).filename().string());
}

FoundCheckpoint find_start(const std::string& from, CheckpointUse use, const TrainerOptions& options,
                           const fs::path& last_fit) {
  TrainerOptions where = options;
  if (use == CheckpointUse::kFork) {
    where.run_dir.clear();  // That of the new run.
  } else if (use == CheckpointUse::kWeights && where.run_dir.empty()) {
    where.run_dir = last_fit.string();
  }
  FoundCheckpoint found = find_checkpoint(from, where, use);
  if (use != CheckpointUse::kWeights && found.run_directory.empty()) {
    throw ConfigError(
        "resume: " + found.file.string() +
        " does not lie in the checkpoints folder of a run; a run goes on in its own directory, and a fork "
        "needs the run's log");
  }
  return found;
}

fs::path resumed_directory(const FoundCheckpoint& resumed, const TrainerOptions& options) {
  if (!options.run_dir.empty() &&
      fs::weakly_canonical(options.run_dir) != fs::weakly_canonical(resumed.run_directory)) {
    throw ConfigError("resume: the checkpoint belongs to run " + resumed.run_directory.string() + ", not to run_dir " +
                      options.run_dir + "; leave run_dir out, or fork the run");
  }
  return resumed.run_directory;
}

fs::path new_run_directory(const TrainerOptions& options) {
  fs::path directory = options.run_dir.empty() ? RunDirectory::default_path(options.default_root_dir, options.name)
                                               : fs::path(options.run_dir);
  if (has_run(directory)) {
    throw ConfigError("run directory " + directory.string() +
                      " holds a run already: resume it ('last'), or choose another one");
  }
  return directory;
}

fs::path evaluation_directory(Stage stage, const FoundCheckpoint* found, const TrainerOptions& options,
                              const fs::path& last_fit) {
  fs::path parent = last_fit;
  if (found != nullptr && !found->run_directory.empty()) {
    parent = found->run_directory;
  } else if (parent.empty() && !options.run_dir.empty()) {
    parent = options.run_dir;
  }
  return parent.empty() ? RunDirectory::default_path(options.default_root_dir, options.name)
                        : next_numbered(parent / std::string(stage_name(stage)));
}

void fork_into(const fs::path& directory, FoundCheckpoint& found) {
  found.forked_from = found.data.header.run_id();
  found.data.header.set_run_id(run_name(directory));
  found.file = fork_run(found.run_directory, found.file, directory);
  found.run_directory = directory;
  found.log_damage_after.reset();  // The copied log ends before it.
}

}  // namespace troupe
