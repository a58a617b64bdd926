#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Where an event lies in a log: places grow from its first event to its last, over resumes too.
struct LogPlace {
  uint32_t incarnation = 0;
  uint64_t seq = 0;

  auto operator<=>(const LogPlace&) const = default;  // NOLINT(modernize-use-nullptr): it takes the 0 inside for one.
};

/// The rule by which the events of a log follow each other, for its writer and its readers alike:
/// the first is RunStarted with seq 1; seq goes up by one; RunResumed starts a segment, counts the incarnations, has
/// the seq from_seq + 1 and says how many events it supersedes, so that it cannot hide any that are missing before it.
class EventSequence {
 public:
  /// Why `event` cannot be the next one; empty if it can.
  std::string problem_with(const Event& event, bool starts_segment) const;

  /// Takes `event` as the last one.
  void advance(const Event& event);

  /// What comes next follows a gap: it cannot be checked against the last event.
  void forget() { seq_known_ = incarnation_known_ = false; }

  /// Of the last event; 0 for none.
  uint64_t last_seq() const { return last_seq_; }
  uint32_t incarnation() const { return incarnation_; }
  LogPlace place() const { return {incarnation_, last_seq_}; }

 private:
  std::string problem_with_resume(const Event& event, bool starts_segment) const;

  uint64_t last_seq_ = 0;
  uint32_t incarnation_ = 0;
  bool seq_known_ = true;
  bool incarnation_known_ = true;  // False from a gap to the next event that tells.
};

}  // namespace troupe
