#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {

/// A stretch of a file that is not what it should be.
struct Damage {
  std::filesystem::path file;
  uint64_t offset = 0;  ///< First byte of the stretch; of a whole record, its frame's first byte.
  uint64_t bytes = 0;   ///< Its length; 0 where something is missing at `offset`.
  std::string message;

  /// "FILE: MESSAGE at offset OFFSET (N bytes)".
  std::string text() const {
    std::string line = file.string() + ": " + message + " at offset " + std::to_string(offset);
    return bytes == 0 ? line : line + " (" + std::to_string(bytes) + " bytes)";
  }
};

/// A CorruptionError that knows its place.
class DamageError : public CorruptionError {
 public:
  explicit DamageError(Damage damage) : CorruptionError(damage.text()), damage_(std::move(damage)) {}
  const Damage& damage() const { return damage_; }

 private:
  Damage damage_;
};

}  // namespace troupe
