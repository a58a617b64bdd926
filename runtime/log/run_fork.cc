#include "troupe/runtime/log/run_fork.h"

#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/file/file_tree.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Whether a path that is relative to a folder, or absolute, leaves the folder.
bool leads_out(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return path.is_absolute() || normal.empty() || *normal.begin() == "..";
}

void require_room(const fs::path& run, const fs::path& target) {
  std::error_code error;
  if (fs::exists(target, error) && !fs::is_empty(target, error)) {
    throw ConfigError("fork: " + target.string() + " is not empty; choose another run directory");
  }
  if (!leads_out(fs::weakly_canonical(target, error).lexically_relative(fs::weakly_canonical(run, error)))) {
    throw ConfigError("fork: " + target.string() + " lies in the directory of the run that is forked, " + run.string() +
                      "; choose a run directory outside of it");
  }
}

void require_own_checkpoints(const fs::path& run, const v1::RunState& state) {
  for (const auto& info : state.checkpoints()) {
    if (leads_out(info.path())) {
      throw ConfigError("fork: run " + run.string() + " has a checkpoint " + info.path() +
                        ", which the new run would overwrite and remove; allowed are paths relative to the run "
                        "directory and in it");
    }
  }
}

LogPlace place_of(const v1::CheckpointHeader& header) {
  return {header.incarnation(), header.seq()};
}

/// A log up to one of its events.
struct LogPrefix {
  fs::path last_segment;
  uint64_t bytes;            ///< Of the last segment.
  std::set<LogPlace> taken;  ///< The checkpoints of its effective history.
};

LogPrefix find_prefix(const fs::path& run, const fs::path& checkpoint, LogPlace taken_at) {
  EventLogReader log(RunPaths{run}.events());
  std::set<LogPlace> taken;
  for (Event event; log.next(event);) {
    if (event.has_run_resumed()) {
      std::erase_if(taken, [&](LogPlace place) { return place.seq > event.run_resumed().from_seq(); });
    } else if (event.has_checkpoint_taken()) {
      taken.insert(log.sequence().place());
      if (log.sequence().place() == taken_at) {
        return {log.file(), log.end_offset(), std::move(taken)};
      }
    }
  }
  throw CorruptionError("fork: " + checkpoint.string() + " was taken at seq " + std::to_string(taken_at.seq) +
                        " of incarnation " + std::to_string(taken_at.incarnation) + ", which the log of run " +
                        run.string() + " does not have");
}

void copy_log(const fs::path& run, const LogPrefix& prefix, const fs::path& target) {
  for (const auto& segment : list_log_segments(RunPaths{run}.events())) {
    const fs::path copy = RunPaths{target}.events() / segment.path.filename();
    if (segment.path == prefix.last_segment) {
      copy_file_durably(segment.path, copy, prefix.bytes);
      return;
    }
    copy_file_durably(segment.path, copy);
  }
}

/// Whether the file is there and holds one of these checkpoints; a damaged one holds none.
bool holds_one_of(const fs::path& file, const std::set<LogPlace>& taken) {
  try {
    return taken.contains(place_of(read_checkpoint_header(file)));
  } catch (const CorruptionError&) {
    return false;
  } catch (const IoError&) {
    std::error_code error;
    if (!fs::exists(file, error) && !error) {
      return false;
    }
    throw;
  }
}

/// The run may put a newer checkpoint in the place of one that is to be forked from.
void copy_start(const fs::path& from, const fs::path& to, const v1::CheckpointHeader& header) {
  if (!link_or_copy(from, to) || !holds_one_of(to, {place_of(header)})) {
    throw IoError("cannot fork from " + from.string() + ": its run has replaced or removed it meanwhile; fork again");
  }
}

/// Those that the state names, where their files hold one of `taken`: a name may have been given to a later one since.
void copy_checkpoints(const fs::path& run, const v1::RunState& state, const std::set<LogPlace>& taken,
                      const fs::path& target) {
  for (const auto& info : state.checkpoints()) {
    const fs::path from = run / info.path();
    const fs::path to = target / info.path();
    if (fs::exists(to) || !holds_one_of(from, taken)) {
      continue;
    }
    std::error_code error;
    if (link_or_copy(from, to) && !holds_one_of(to, taken) && !fs::remove(to, error)) {  // Replaced just now.
      throw IoError("cannot remove " + to.string() + ": " + error.message());
    }
  }
}

bool is_checkpoint(const fs::path& file) {
  try {
    read_checkpoint_header(file);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// What is in a folder now; nothing where it is gone.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw IoError("cannot list " + folder.string() + ": " + error.message());
  }
  return entries;
}

/// All files but checkpoints, and those that are being written. A file that is gone by now is left out.
void copy_files(const fs::path& from, const fs::path& to, const std::set<fs::path>& left_out = {}) {
  for (const auto& entry : entries_of(from)) {
    const fs::path& path = entry.path();
    std::error_code gone;
    if (is_temporary_name(path) || left_out.contains(path)) {
      continue;
    }
    if (fs::is_directory(entry.symlink_status(gone))) {
      copy_files(path, to / path.filename());
    } else if (entry.is_regular_file(gone) && !(path.extension() == ".ckpt" && is_checkpoint(path))) {
      copy_file_durably(path, to / path.filename());
    }
  }
}

/// What is neither the log, nor checkpoints, nor the process's own, nor runs of their own.
void copy_other_files(const fs::path& run, const fs::path& target) {
  const RunPaths paths{run};
  copy_files(run, target,
             {paths.events(), paths.checkpoints(), paths.config(), paths.lock(), paths.monitor_socket(),
              run / "validate", run / "test", run / "predict", run / "sanity_check"});
}

/// Whether no process holds the lock of a run directory.
bool is_abandoned(const fs::path& run) {
  try {
    return File::open_or_create(RunPaths{run}.lock()).try_lock();
  } catch (const IoError&) {
    return false;
  }
}

/// What forks to the same directory left whose processes died.
void remove_stale_forks(const fs::path& target) {
  for (const auto& entry : entries_of(target.parent_path())) {
    const bool of_target = is_temporary_name(entry.path()) && entry.path().stem() == target.filename();
    std::error_code gone;
    if (of_target && entry.is_directory(gone) && is_abandoned(entry.path())) {
      remove_tree(entry.path());
    }
  }
}

}  // namespace

RunFork::RunFork(const fs::path& run, const fs::path& checkpoint, const CheckpointData& data, const fs::path& target)
    : target_(plain_path(target)), temporary_(temporary_name(target_)) {
  const fs::path source = plain_path(run);
  require_room(source, target_);
  require_own_checkpoints(source, data.run_state);
  const LogPrefix prefix = find_prefix(source, checkpoint, place_of(data.header));
  checkpoint_ = plain_path(checkpoint).lexically_relative(source);
  remove_stale_forks(target_);
  try {
    locked_.emplace(temporary_);
    copy_start(checkpoint, temporary_ / checkpoint_, data.header);
    copy_log(source, prefix, temporary_);
    copy_checkpoints(source, data.run_state, prefix.taken, temporary_);
    copy_other_files(source, temporary_);
  } catch (const ConfigError&) {  // Another fork to this directory is under way, and has the lock.
    throw;
  } catch (...) {
    remove_tree(temporary_);
    throw;
  }
}

RunFork::~RunFork() {
  if (locked_) {
    remove_tree(temporary_);
  }
}

fs::path RunFork::commit() {
  sync_tree(temporary_);
  rename_durably(temporary_, target_);
  locked_.reset();
  return target_ / checkpoint_;
}

}  // namespace troupe
