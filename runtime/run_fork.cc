#include "runtime/run_fork.h"

#include <algorithm>
#include <array>
#include <string>
#include <system_error>
#include <vector>

#include "runtime/checkpoint_file.h"
#include "runtime/error.h"
#include "runtime/event_log_reader.h"
#include "runtime/event_log_segments.h"
#include "runtime/file.h"
#include "runtime/run_directory.h"
#include "runtime/run_state.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_copy_error(const fs::path& from, const fs::path& to, const std::error_code& error) {
  throw IoError("cannot copy " + from.string() + " to " + to.string() + ": " + error.message());
}

void copy_whole_file(const fs::path& from, const fs::path& to) {
  create_folders(to.parent_path());
  std::error_code error;
  if (!fs::copy_file(from, to, error)) {
    throw_copy_error(from, to, error);
  }
}

/// A file that nobody changes any more.
void link_or_copy(const fs::path& from, const fs::path& to) {
  create_folders(to.parent_path());
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) {
    copy_whole_file(from, to);
  }
}

/// A log up to one of its events.
struct LogPrefix {
  fs::path last_segment;
  uint64_t bytes;  ///< Of the last segment.
  RunState state;  ///< After the event.
};

LogPrefix find_prefix(const fs::path& run, const fs::path& checkpoint) {
  const auto header = read_checkpoint_header(checkpoint);
  EventLogReader log(RunPaths{run}.events());
  RunState state;
  for (Event event; log.next(event);) {
    state.apply(event);
    if (event.has_checkpoint_taken() && event.seq() == header.seq() && state.incarnation() == header.incarnation()) {
      return {log.file(), log.end_offset(), std::move(state)};
    }
  }
  throw CorruptionError("fork: " + checkpoint.string() + " was taken at seq " + std::to_string(header.seq()) +
                        " of incarnation " + std::to_string(header.incarnation()) + ", which the log of run " +
                        run.string() + " does not have");
}

void copy_log(const fs::path& run, const LogPrefix& prefix, const fs::path& target) {
  for (const auto& segment : list_log_segments(RunPaths{run}.events())) {
    const fs::path copy = RunPaths{target}.events() / segment.path.filename();
    copy_whole_file(segment.path, copy);
    if (segment.path == prefix.last_segment) {
      File file = File::open_to_write(copy);
      file.truncate(prefix.bytes);
      file.sync();
      return;
    }
  }
}

/// Those that the state knows, as far as they are there.
void copy_checkpoints(const fs::path& run, const RunState& state, const fs::path& target) {
  for (const auto& info : state.checkpoints()) {
    const fs::path path = info.path();
    if (path.is_relative() && fs::exists(run / path) && !fs::exists(target / path)) {
      link_or_copy(run / path, target / path);
    }
  }
}

/// Files that are neither the log's, nor checkpoints, nor the process's own.
void copy_other_files(const fs::path& run, const fs::path& target) {
  const RunPaths paths{run};
  const std::vector<fs::path> left_out{paths.events(), paths.checkpoints(), paths.config(), paths.lock(),
                                       paths.monitor_socket()};
  const std::array<std::string, 4> evaluations{"validate", "test", "predict", "sanity_check"};  // Runs of their own.
  for (auto entry = fs::recursive_directory_iterator(run); entry != fs::recursive_directory_iterator(); ++entry) {
    const fs::path& path = entry->path();
    const bool is_evaluation =
        entry.depth() == 0 && entry->is_directory() &&
        std::find(evaluations.begin(), evaluations.end(), path.filename().string()) != evaluations.end();
    if (is_evaluation || std::find(left_out.begin(), left_out.end(), path) != left_out.end()) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      copy_whole_file(path, target / fs::relative(path, run));
    }
  }
}

}  // namespace

fs::path fork_run(const fs::path& run, const fs::path& checkpoint, const fs::path& target) {
  std::error_code ignored;
  if (fs::exists(target) && !fs::is_empty(target, ignored)) {
    throw ConfigError("fork: " + target.string() + " is not empty; choose another run directory");
  }
  const LogPrefix prefix = find_prefix(run, checkpoint);
  const fs::path relative = fs::proximate(checkpoint, run);
  const fs::path temporary = temporary_name(target);
  try {
    link_or_copy(checkpoint, temporary / relative);
    copy_log(run, prefix, temporary);
    copy_checkpoints(run, prefix.state, temporary);
    copy_other_files(run, temporary);
    create_folders(fs::absolute(target).parent_path());
    rename_durably(temporary, target);
  } catch (...) {
    fs::remove_all(temporary, ignored);
    throw;
  }
  return target / relative;
}

}  // namespace troupe
