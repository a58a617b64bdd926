#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/replay/divergence.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// Compares the states of replayed callbacks with those in the run's checkpoints, as far as their files are still
/// there. Reads each file as a stream, tensors included: that checks it, too. Nothing is written.
class SavedStates {
 public:
  using States = std::map<std::string, StateDict>;  ///< By state key.
  using Report = std::function<void(Divergence)>;

  explicit SavedStates(std::filesystem::path run_directory) : run_directory_(std::move(run_directory)) {}

  /// `taken`: a CheckpointTaken of the process with this number; `states`: of the callbacks there. A file that has
  /// another checkpoint by now, or weights alone, has nothing to compare. How many states were equal. Throws
  /// CorruptionError for a damaged file, IoError for one that cannot be read.
  size_t compare(const Event& taken, uint32_t incarnation, const States& states, const Report& report);

 private:
  struct Past {
    uint64_t seq;
    States states;
  };
  /// What the callback had at that seq; null where it is not known any more.
  const StateDict* state_at(uint64_t seq, const std::string& state_key) const;

  std::filesystem::path run_directory_;
  std::deque<Past> past_;  // Of the last few checkpoints: a callback may have been behind when one was written.
};

/// What differs between two states, on one line for each side: "state.wait_count=2"; all that differs, or the first
/// few.
std::pair<std::string, std::string> state_differences(const StateDict& recorded, const StateDict& replayed);

}  // namespace troupe
