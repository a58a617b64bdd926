#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "troupe/runtime/file/file.h"

namespace troupe {

/// Replaces the content of a file, without any ceremony.
inline void overwrite_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// Path to content and modification time of every file in `folder` and below.
inline auto folder_content(const std::filesystem::path& folder) {
  std::map<std::filesystem::path, std::pair<std::string, std::filesystem::file_time_type>> content;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    content[entry.path()] = {entry.is_regular_file() ? read_file(entry.path()) : "", entry.last_write_time()};
  }
  return content;
}

}  // namespace troupe
