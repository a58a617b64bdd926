#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/event/event_sequence.h"

namespace troupe::testing {

inline std::vector<float> weights_at(LogPlace place) {
  std::vector<float> weights(1 + place.seq % 37);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(place.seq * 100 + i) + 0.25F * static_cast<float>(place.incarnation);
  }
  return weights;
}

/// A small checkpoint that only the one of `place` is.
inline void write_checkpoint_at(LogPlace place, const std::filesystem::path& path,
                                const std::function<void()>& before_rename) {
  const auto weights = weights_at(place);
  CheckpointParts parts;
  parts.header.set_run_id("r1");
  parts.header.set_incarnation(place.incarnation);
  parts.header.set_seq(place.seq);
  parts.tensors.push_back(
      {"weight", v1::DTYPE_FLOAT32, {static_cast<int64_t>(weights.size())}, std::as_bytes(std::span(weights))});
  parts.run_state.set_seq(place.seq);
  write_checkpoint(path, parts, before_rename);
}

/// Which checkpoint the file is; throws CorruptionError unless it is whole and just what was written.
inline LogPlace read_checkpoint_place(const std::filesystem::path& path) {
  const auto data = read_checkpoint(path);
  const LogPlace place{data.header.incarnation(), data.header.seq()};
  const auto weights = weights_at(place);
  const bool equal = data.tensors.size() == 1 &&
                     text_of(data.tensors[0].view()) == text_of(std::as_bytes(std::span(weights))) &&
                     data.run_state.seq() == place.seq;
  if (!equal) {
    throw CorruptionError(path.string() + " is not what was written");
  }
  return place;
}

}  // namespace troupe::testing
