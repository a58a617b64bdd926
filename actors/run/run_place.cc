#include "troupe/actors/run/run_place.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/run_lookup.h"

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

/// Nothing where `from` is a file that lies in no run, which find_start reports.
std::optional<RunDirectory> lock_resumed_run(const std::string& from, const TrainerOptions& options) {
  const fs::path run = run_to_resume(from, options);
  if (run.empty()) {
    return std::nullopt;
  }
  if (!options.run_dir.empty() && fs::weakly_canonical(options.run_dir) != fs::weakly_canonical(run)) {
    throw ConfigError("resume: the checkpoint belongs to run " + run.string() + ", not to run_dir " + options.run_dir +
                      "; leave run_dir out, or fork the run");
  }
  return RunDirectory(run);
}

}  // namespace

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

const RunDirectory& FitPlace::open() {
  if (fork) {
    found->file = fork->commit();
    found->run_directory = path;
    found->run_id = run_name(path);
    found->forked_from = found->data.header.run_id();
    found->log_damage_after.reset();  // The copied log ends before it.
    fork.reset();
  }
  return directory ? *directory : directory.emplace(path);
}

FitPlace find_fit_place(const std::string& from, CheckpointUse use, const TrainerOptions& options) {
  FitPlace place;
  TrainerOptions where = options;
  if (!from.empty() && use == CheckpointUse::kResume && (place.directory = lock_resumed_run(from, options))) {
    where.run_dir = place.directory->root().string();  // Whatever has become the newest run since.
  }
  if (!from.empty()) {
    place.found = find_start(from, use, where, {});
  }
  place.path = place.directory ? place.directory->root() : new_run_directory(options);
  if (use == CheckpointUse::kFork) {
    place.fork =
        std::make_unique<RunFork>(place.found->run_directory, place.found->file, place.found->data, place.path);
  }
  return place;
}

}  // namespace troupe
