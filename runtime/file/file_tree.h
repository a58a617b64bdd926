#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>

namespace troupe {

// Folders with all that is in them, and copies of files. What refuses throws IoError.

/// Copies a file, or its first `bytes`, to a path where there is nothing, with the folders above it that are missing.
/// What was copied is durable; the name is with sync_tree. False, with no file made, when there is no `from` (any
/// more).
bool copy_file_durably(const std::filesystem::path& from, const std::filesystem::path& to,
                       uint64_t bytes = std::numeric_limits<uint64_t>::max());

/// The same for a durable file that nobody changes any more: another name for it, a copy where that cannot be.
bool link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes the names in `folder`, and in the folders in it, durable.
void sync_tree(const std::filesystem::path& folder);

/// Removes `folder` and what is in it, as far as the system lets it.
void remove_tree(const std::filesystem::path& folder);

}  // namespace troupe
