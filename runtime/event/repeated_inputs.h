#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "troupe/runtime/event/decided_before.h"
#include "troupe/runtime/event/event.h"

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
