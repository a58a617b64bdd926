#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/event.h"

namespace troupe {

// A run that goes on from a checkpoint repeats what an earlier process had done after it. What came from outside then,
// operators' commands and what clocks decided, is in the log and is done again at the same places. docs/resume.md.

/// Whether events of this type are landmarks: the loop's own progress, which equal runs have one for one. How many of
/// them came before an input is the input's place.
bool is_landmark(EventType type);

/// A recorded input, after so many landmarks.
struct PlacedInput {
  uint64_t place = 0;
  v1::InputRecorded input;
};

/// What is known of the events around a checkpoint. Places count from the checkpoint.
struct KnownInputs {
  std::vector<PlacedInput> inputs;  ///< Commands and clock decisions, in the order in which they were taken.
  uint64_t landmarks = 0;           ///< As far as any process came.
  /// Before the checkpoint: when controllers were asked because a time had come.
  std::vector<v1::ClockDecision> decided = {};
};

/// Reads it for the event of seq `from_seq` of the effective history, which is RunStarted or a CheckpointTaken. Of the
/// processes that have run past it, the last one to reach a place says what happened there. Signals and operators'
/// stops are left out: they were about the process, and it ended. So are those of the run that this one was forked
/// from. Throws as EventLogReader.
KnownInputs read_known_inputs(const std::filesystem::path& events_dir, uint64_t from_seq);

/// What an earlier process decided by the clock at a place that this one has come to.
enum class DecidedBefore {
  kUnknown,  ///< It did not come so far: the clock decides.
  kYes,
  kNo,
};

/// Hands the known inputs out at their places. For the loop's thread.
class RepeatedInputs {
 public:
  RepeatedInputs() = default;
  explicit RepeatedInputs(KnownInputs known);

  /// Nothing is left to repeat: of no effect from here on.
  bool over() const { return over_; }
  /// To be called for each event that the loop hands over. Inputs of places that were passed by are dropped.
  void pass(EventType type);

  /// Whether commands are due here.
  bool any_command() const { return !over_ && command_is_due(); }
  /// Takes them.
  std::vector<v1::InputRecorded> take_commands();

  /// When the next decision of a clock was taken that is still to be repeated; the largest number if there is none.
  uint64_t next_decision_us() const;

  /// What the clock decided at this place, about this callback and the event of type `event` that is next
  /// (KIND_TRIGGER) or was last (KIND_DEADLINE). kYes takes the decision, of which `elapsed_us` is the time.
  DecidedBefore decided(v1::ClockDecision::Kind kind, const std::string& state_key, EventType event,
                        uint64_t& elapsed_us);

 private:
  bool command_is_due() const;

  std::deque<PlacedInput> inputs_;
  uint64_t place_ = 0;
  uint64_t landmarks_ = 0;
  bool over_ = true;
};

}  // namespace troupe
