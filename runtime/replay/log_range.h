#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// A place in a run that a user names: a sequence number, "step=N" (the batch that completed optimizer step N, from 1)
/// or "epoch=N" (from 0).
struct NamedPlace {
  enum class Unit { kSeq, kStep, kEpoch };
  Unit unit = Unit::kSeq;
  uint64_t number = 0;
  std::string text;
};

/// Throws ConfigError that opens with `what` ("--from") and says what is allowed.
NamedPlace parse_place(std::string_view text, const std::string& what);

/// A part of a log, both ends included: from a sequence number, the batch of a step or the start of an epoch on; up to
/// a sequence number, the batch of a step or the end of an epoch. Fed the events in order.
class LogRange {
 public:
  /// An empty text is no limit. Throws as parse_place.
  LogRange(const std::string& from, const std::string& until);

  /// Whether the event lies in it. To be called for every event, in order.
  bool contains(const Event& event);
  /// Whether all of it has been seen.
  bool is_past() const { return past_; }
  /// After the whole log has been read: why nothing was in it; empty where something was.
  std::string problem() const;

 private:
  std::optional<NamedPlace> from_;
  std::optional<NamedPlace> until_;
  bool begun_ = false;
  bool past_ = false;
  uint64_t last_seq_ = 0;
};

}  // namespace troupe
