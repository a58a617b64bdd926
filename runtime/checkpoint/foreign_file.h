#pragma once

#include <filesystem>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {

/// A file that is no checkpoint and never was one: the name is wrong, not the content.
class ForeignFileError : public CorruptionError {
 public:
  using CorruptionError::CorruptionError;
};

/// What a file looks like by its first bytes where that is something else than a checkpoint of Troupe: "a text file".
/// Empty where it cannot be told: a checkpoint, whole or damaged, or nothing that is known. Throws IoError.
std::string foreign_format(const std::filesystem::path& path);

/// Throws ForeignFileError, which says what the file looks like and what can be done with it, unless foreign_format is
/// empty.
void refuse_foreign_file(const std::filesystem::path& path);

}  // namespace troupe
