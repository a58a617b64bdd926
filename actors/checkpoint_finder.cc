#include "actors/checkpoint_finder.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runtime/error.h"
#include "runtime/event_history.h"
#include "runtime/event_log_tail.h"
#include "runtime/run_directory.h"
#include "runtime/run_lookup.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// What the log says of a run's checkpoints.
struct CheckpointHistory {
  RunState state;
  std::set<LogPlace> taken;  ///< In the effective history.
  RunStarted started;
  std::optional<LogPlace> damage_after;  ///< The log ends in what a power failure left.
};

/// Up to the event at `last`, or to the end.
CheckpointHistory fold_history(const fs::path& run, const std::optional<LogPlace>& last) {
  CheckpointHistory history;
  history.state = fold_event_log(RunPaths{run}.events(), [&](const RunState& state, const Event& event) {
    if (event.has_run_started()) {
      history.started = event.run_started();
      history.taken.clear();  // The fold has begun again.
    } else if (event.has_checkpoint_taken()) {
      history.taken.insert({state.incarnation(), event.seq()});
    }
    return last == LogPlace{state.incarnation(), state.seq()};
  });
  return history;
}

/// Throws CorruptionError where the log has lost events that had been durable.
CheckpointHistory read_history(const fs::path& run) {
  try {
    CheckpointHistory history = fold_history(run, std::nullopt);
    require_no_checkpoint_after(run, {history.state.incarnation(), history.state.seq()});
    return history;
  } catch (const DamageError& error) {
    const LogPlace last = place_before_damage(run, error);
    CheckpointHistory history = last.seq == 0 ? CheckpointHistory() : fold_history(run, last);
    history.damage_after = last;
    return history;
  }
}

bool is_effective(const v1::CheckpointHeader& header, const CheckpointHistory& history) {
  return history.taken.contains({header.incarnation(), header.seq()});
}

struct Candidate {
  fs::path file;
  uint64_t seq;
};

/// Checkpoints that were taken and not removed, newest first, as far as their files exist and no later part of the run
/// has superseded them; `best`: those alone that were the best by the monitor that the run's best checkpoint has.
std::vector<Candidate> newest_first(const fs::path& run, const CheckpointHistory& history, bool best) {
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
    if (!wanted || !fs::exists(file)) {
      continue;
    }
    try {  // What was taken last under this name need not be what is on the disk: the one before it, where that failed.
      const auto header = read_checkpoint_header(file);
      if (is_effective(header, history)) {
        candidates.push_back({file, header.seq()});
      }
    } catch (const CorruptionError&) {  // The whole file is read below, and what is wrong with it reported.
      candidates.push_back({file, info.taken_seq()});
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.seq > b.seq; });
  return candidates;
}

/// The newest of them that is whole; nothing where none gives what is wanted.
std::optional<FoundCheckpoint> newest_sound(const fs::path& run, const std::vector<Candidate>& candidates,
                                            CheckpointUse use) {
  bool damaged = false;
  size_t weights_only = 0;
  for (const auto& candidate : candidates) {
    try {
      auto data = read_checkpoint(candidate.file);
      if (data.training_state || use == CheckpointUse::kWeights) {
        return FoundCheckpoint{candidate.file, run, std::move(data)};
      }
      ++weights_only;
    } catch (const CorruptionError& error) {
      damaged = true;
      std::cerr << "troupe: warning: checkpoint " + candidate.file.string() + " is damaged (" + error.what() +
                       "); trying the one before it\n";
    }
  }
  if (damaged || weights_only > 0) {
    throw CorruptionError("resume: run " + run.string() + " has no sound checkpoint to start from (" +
                          std::to_string(candidates.size()) + " looked at" +
                          (weights_only == 0 ? "" : ", " + std::to_string(weights_only) + " of weights only") + ")");
  }
  return std::nullopt;
}

/// The run from its first event on, when it has not come to a checkpoint.
FoundCheckpoint start_over(const fs::path& run, const CheckpointHistory& history) {
  const auto& infos = history.state.checkpoints();
  const auto lost = std::find_if(infos.begin(), infos.end(), [&](const auto& info) {
    return info.state() == v1::CheckpointInfo::SAVED && !fs::exists(run / info.path());
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

/// A file that is named is taken as it is; a run cannot go on from one that it has left behind.
FoundCheckpoint named_checkpoint(const fs::path& file, const fs::path& run, CheckpointUse use) {
  FoundCheckpoint found{file, run, read_checkpoint(file), {}};
  const auto& header = found.data.header;
  if (use != CheckpointUse::kWeights) {
    require_training_state(file, found.data);
  }
  if (use != CheckpointUse::kResume || run.empty()) {
    return found;
  }
  const CheckpointHistory history = read_history(run);
  found.log_damage_after = history.damage_after;
  if (header.seq() <= history.state.seq() && !is_effective(header, history)) {
    throw ConfigError("resume: " + file.string() +
                      " was taken in a part of the run that a later resume superseded: the run cannot go on from it; "
                      "its weights can be tested");
  }
  return found;
}

}  // namespace

FoundCheckpoint find_checkpoint(const std::string& what, const TrainerOptions& options, CheckpointUse use) {
  const fs::path run = run_to_resume(what, options);
  const bool best = what == "best";
  if (what != "last" && !best && !fs::is_directory(what)) {
    return named_checkpoint(what, run, use);
  }
  const CheckpointHistory history = read_history(run);
  if (auto found = newest_sound(run, newest_first(run, history, best), use)) {
    found->log_damage_after = history.damage_after;
    return std::move(*found);
  }
  if (use != CheckpointUse::kResume || best) {
    throw ConfigError("resume '" + what + "': run " + run.string() + " has no checkpoint that can be used for it");
  }
  return start_over(run, history);
}

}  // namespace troupe
