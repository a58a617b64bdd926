#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback_states.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/replay/log_facts.h"
#include "troupe/runtime/replay/replayed_callback.h"
#include "troupe/runtime/replay/saved_states.h"

namespace troupe {

/// The callbacks of one process's part of a run while the log is fed to them, and what outlives it: their states at the
/// last checkpoint, and what clocks decided.
class ReplayProcess {
 public:
  /// `facts` must outlive it; null where the log is of other callbacks.
  ReplayProcess(std::filesystem::path run_directory, std::filesystem::path scratch, const LogFacts* facts)
      : run_directory_(std::move(run_directory)), scratch_(std::move(scratch)), facts_(facts) {}

  /// Begins with these callbacks. `opening`: RunStarted or RunResumed, not yet applied to `run`; where it goes on from
  /// a checkpoint they get the states that the callbacks before them had there.
  void begin(const Callbacks& callbacks, const Event& opening, const RunState& run);

  const std::vector<std::unique_ptr<ReplayedCallback>>& callbacks() const { return callbacks_; }
  ReplayedCallback* find(const std::string& state_key) const;
  /// Their state keys.
  const std::shared_ptr<const std::set<std::string>>& state_keys() const { return state_keys_; }

  /// How a controller comes to be asked.
  enum class Turn {
    kNo,
    kYes,
    kNotDue,    ///< No, though the log says that the clock had it asked here.
    kTooEarly,  ///< No, as recorded, though its time has come.
  };
  Turn turn(ReplayedCallback& callback, const Event& event);
  /// Takes note of what the clock decided, which comes before the event that it is about.
  void note_decision(const v1::ClockDecision& decision);
  /// To be called when all callbacks have had the event.
  void pass(const Event& event);

  /// The state of each callback that has one, after the event run.seq(), a CheckpointTaken.
  SavedStates::States capture(const RunState& run);

 private:
  std::vector<v1::ClockDecision> decided_for(const std::string& state_key) const;

  std::filesystem::path run_directory_;
  std::filesystem::path scratch_;
  const LogFacts* facts_;
  std::vector<std::unique_ptr<ReplayedCallback>> callbacks_;
  std::shared_ptr<const std::set<std::string>> state_keys_;
  std::vector<v1::CallbackState> captured_;       // At the last CheckpointTaken.
  std::vector<v1::ClockDecision> decided_;        // When controllers were asked because a time had come.
  std::map<std::string, v1::ClockDecision> due_;  // About the event that is next, by state key.
  uint64_t landmarks_ahead_ = 0;
};

}  // namespace troupe
