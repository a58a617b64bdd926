#include "troupe/actors/storage/checkpoint_finder.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "troupe/actors/storage/checkpoint_history.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/foreign_file.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/log/run_lookup.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

LogPlace place_of(const v1::CheckpointHeader& header) {
  return {header.incarnation(), header.seq()};
}

/// Adds what the log says of the run that goes on. A fork that goes back to the history of the run that it was forked
/// from is a fork of it still.
void add_history(FoundCheckpoint& found, const CheckpointHistory& history) {
  const auto& header = found.data.header;
  const bool is_other_run = place_of(header) < history.forked_at;
  found.run_id = is_other_run ? run_name(found.run_directory) : header.run_id();
  found.forked_from = is_other_run ? header.run_id() : std::string();
  found.log_damage_after = history.damage_after;
}

/// Not where it cannot be told.
bool is_gone(const fs::path& file) {
  std::error_code error;
  return !fs::exists(file, error) && !error;
}

struct Candidate {
  fs::path file;
  uint64_t seq;
};

/// Checkpoints that were not taken.
struct PassedOver {
  std::vector<fs::path> files;  ///< Damaged, or unreadable.
  size_t weights_only = 0;
  std::string io_error;  ///< Of one that could not be read; empty for none.

  void damaged(const fs::path& file, const CorruptionError& error) { add(file, "is damaged", error); }
  /// Nothing where the run that goes on has removed it.
  void unreadable(const fs::path& file, const IoError& error) {
    if (!is_gone(file)) {
      io_error = error.what();
      add(file, "cannot be read", error);
    }
  }

 private:
  void add(const fs::path& file, const char* what, const Error& error) {
    files.push_back(file);
    std::cerr << "troupe: warning: checkpoint " + file.string() + " " + what + " (" + error.what() +
                     "); trying the one before it\n";
  }
};

/// Checkpoints that were taken and not removed, newest first, as far as their files exist and no later part of the run
/// has superseded them; `best`: those alone that were the best by the monitor that the run's best checkpoint has.
std::vector<Candidate> newest_first(const fs::path& run, const CheckpointHistory& history, bool best,
                                    PassedOver& passed_over) {
  const auto& infos = history.state.checkpoints();
  const auto named = std::find_if(infos.begin(), infos.end(),
                                  [&](const auto& i) { return i.path() == history.state.best_checkpoint(); });
  if (best && named == infos.end()) {
    throw ConfigError("resume 'best': run " + run.string() + " has no best checkpoint: no ModelCheckpoint saved one");
  }
  std::vector<Candidate> candidates;
  for (const auto& info : infos) {
    const fs::path file = run / info.path();
    const bool failed = info.state() == v1::CheckpointInfo::FAILED;
    const bool wanted = !best || (info.best() && !failed && info.monitor() == named->monitor());
    if (!wanted || is_gone(file)) {
      continue;
    }
    try {  // What was taken last under this name need not be what is on the disk: the one before it, where that failed.
      const auto header = read_checkpoint_header(file);
      if (history.is_effective(header)) {
        candidates.push_back({file, header.seq()});
      }
    } catch (const IoError& error) {
      passed_over.unreadable(file, error);
    } catch (const CorruptionError&) {  // The whole file is read below, and what is wrong with it reported.
      candidates.push_back({file, info.taken_seq()});
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.seq > b.seq; });
  return candidates;
}

[[noreturn]] void throw_none_sound(const fs::path& run, const PassedOver& passed_over) {
  const size_t weights_only = passed_over.weights_only;
  const std::string text = "resume: run " + run.string() + " has no sound checkpoint to start from (" +
                           std::to_string(passed_over.files.size() + weights_only) + " looked at" +
                           (weights_only == 0 ? "" : ", " + std::to_string(weights_only) + " of weights only") + ")";
  if (!passed_over.io_error.empty()) {
    throw IoError(text + ": " + passed_over.io_error);
  }
  throw CorruptionError(text);
}

/// The newest of them that is whole; nothing where none gives what is wanted. Throws where that is for what is wrong
/// with them.
std::optional<FoundCheckpoint> newest_sound(const fs::path& run, const CheckpointHistory& history, bool best,
                                            CheckpointUse use) {
  PassedOver passed_over;
  const auto candidates = newest_first(run, history, best, passed_over);
  for (const auto& candidate : candidates) {
    try {
      auto data = read_checkpoint(candidate.file);
      if (data.training_state || use == CheckpointUse::kWeights) {
        FoundCheckpoint found{candidate.file, run, std::move(data)};
        found.passed_over = std::move(passed_over.files);
        return found;
      }
      ++passed_over.weights_only;
    } catch (const CorruptionError& error) {
      passed_over.damaged(candidate.file, error);
    } catch (const IoError& error) {
      passed_over.unreadable(candidate.file, error);
    }
  }
  if (!passed_over.files.empty() || passed_over.weights_only > 0) {
    throw_none_sound(run, passed_over);
  }
  return std::nullopt;
}

/// The run from its first event on, when it has not come to a checkpoint.
FoundCheckpoint start_over(const fs::path& run, const CheckpointHistory& history) {
  const auto& infos = history.state.checkpoints();
  const auto lost = std::find_if(infos.begin(), infos.end(), [&](const auto& info) {
    return info.state() == v1::CheckpointInfo::SAVED && is_gone(run / info.path());
  });
  if (lost != infos.end()) {
    throw CorruptionError("resume: run " + run.string() + " saved " + lost->path() +
                          ", which is gone, and has no other checkpoint to start from");
  }
  FoundCheckpoint found;
  found.run_directory = run;
  found.log_damage_after = history.damage_after;
  if (history.started.run_id().empty()) {
    return found;  // Killed before its first event was in the log.
  }
  std::cerr << "troupe: run " + run.string() + " had no checkpoint yet: it starts over from its beginning\n";
  found.data.header.set_run_id(history.started.run_id());
  found.data.header.set_incarnation(1);
  found.data.header.set_seq(1);
  *found.data.header.mutable_environment() = history.started.environment();
  found.data.run_state = fold_event_log(RunPaths{run}.events(), [](const RunState& state, const Event& /*event*/) {
                           return state.seq() == 1;
                         }).to_proto();
  add_history(found, history);
  return found;
}

void require_training_state(const fs::path& file, const CheckpointData& data) {
  if (!data.training_state) {
    throw ConfigError("resume " + file.string() + ": a checkpoint of weights only" +
                      (data.header.imported_from().empty() ? "" : ", imported from " + data.header.imported_from()) +
                      ": it has no loop position, no optimizers, no random generator state and no callback states, so "
                      "no run can go on from it; load_weights takes its weights, and so do validate, test and predict");
  }
}

CheckpointData read_named(const fs::path& file) {
  try {
    return read_checkpoint(file);
  } catch (const ForeignFileError& error) {
    throw ConfigError("resume: " + std::string(error.what()));
  }
}

/// A file that is named is taken as it is; a run cannot go on from one that it has left behind.
FoundCheckpoint named_checkpoint(const fs::path& file, const fs::path& run, CheckpointUse use) {
  FoundCheckpoint found{file, run, read_named(file)};
  const auto& header = found.data.header;
  if (use != CheckpointUse::kWeights) {
    require_training_state(file, found.data);
  }
  if (use != CheckpointUse::kResume || run.empty()) {
    return found;
  }
  const CheckpointHistory history = read_checkpoint_history(run);
  if (!history.is_effective(header)) {
    throw ConfigError("resume: " + file.string() +
                      (history.taken.contains(place_of(header))
                           ? " was taken by another run, " + header.run_id() + ": this run cannot go on from it; "
                           : " was taken in a part of the run that a later resume superseded: the run cannot go on "
                             "from it; ") +
                      "its weights can be tested");
  }
  add_history(found, history);
  return found;
}

}  // namespace

FoundCheckpoint find_checkpoint(const std::string& what, const TrainerOptions& options, CheckpointUse use) {
  const fs::path run = run_to_resume(what, options);
  const bool best = what == "best";
  if (what != "last" && !best && !fs::is_directory(what)) {
    return named_checkpoint(what, run, use);
  }
  CheckpointHistory history = read_checkpoint_history(run);
  while (true) {
    if (auto found = newest_sound(run, history, best, use)) {
      add_history(*found, history);
      return std::move(*found);
    }
    const LogPlace end = history.end();
    history = read_checkpoint_history(run);
    if (history.end() == end) {
      break;
    }  // The run goes on, and may have replaced what its log named by then.
  }
  if (use != CheckpointUse::kResume || best) {
    throw ConfigError("resume '" + what + "': run " + run.string() + " has no checkpoint that can be used for it");
  }
  return start_over(run, history);
}

}  // namespace troupe
