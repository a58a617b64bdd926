#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/replay/log_facts.h"

namespace troupe {

/// What a controller said of an event in a replay.
struct ReplayedAnswer {
  std::vector<v1::Command> commands;
  std::optional<std::string> error;  ///< What it threw, as the run would have told it.
};

/// One callback that is fed a log: its hooks run on the calling thread, and what they throw stays here. As in the run,
/// an observer that throws is made anew, gets its last state and the events since then again, and the event that it
/// failed at once more, where the log says that it failed there; and a controller that throws answers so from then on.
class ReplayedCallback {
 public:
  struct Start {
    std::filesystem::path events_dir;
    std::filesystem::path scratch;           ///< What it takes for the run directory.
    RunState run;                            ///< Where its process's part of the run starts.
    std::optional<StateDict> state;          ///< What it has been loaded with.
    std::vector<v1::ClockDecision> decided;  ///< About it, before.
  };

  /// `facts` must outlive it; null where the log is not of runs of this callback.
  ReplayedCallback(std::shared_ptr<Callback> callback, Start start, const LogFacts* facts);

  const CallbackInfo& info() const { return callback_->info(); }
  AskSchedule& schedule() { return schedule_; }

  /// Runs the observer hook, if there is one for the event. `run`: the state after the event. Returns what is wrong: a
  /// hook that throws where it did not in the run, or the other way round; empty for nothing.
  std::string observe(const Event& event, LogPlace place, const RunState& run);
  /// Runs the controller hook, or answers with the failure of an earlier hook.
  ReplayedAnswer decide(const Event& event, const RunState& run);
  /// The state after the event `run.seq()`; nothing where the class has none, or cannot say.
  std::optional<StateDict> capture(const RunState& run);

  /// It gets no events from here on.
  void detach() { detached_ = true; }
  bool detached() const { return detached_; }

 private:
  bool try_hook(const Event& event, const RunState& run, std::string& error);
  bool recorded_failure(LogPlace place) const { return facts_ != nullptr && facts_->failure(place, info().state_key); }
  std::string deal_with_failure(const Event& event, LogPlace place, const RunState& run, std::string error);
  void begin_again();
  void deliver_again(LogPlace until);

  std::shared_ptr<Callback> callback_;
  Start start_;
  const LogFacts* facts_;
  AskSchedule schedule_;
  RunState base_run_;  // Where base_state_ was taken.
  std::optional<StateDict> base_state_;
  std::optional<std::string> failure_;  // Of an observer hook of a controller.
  bool detached_ = false;
};

}  // namespace troupe
