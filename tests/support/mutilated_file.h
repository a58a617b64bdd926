#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"

namespace troupe {

/// What a reader makes of a file: the text of the Error it throws, which must name the file; empty if it throws none.
template <class Read>
std::string refusal(const std::filesystem::path& path, Read read) {
  try {
    read(path);
    return "";
  } catch (const Error& error) {
    std::string text = error.what();
    CHECK(text.find(path.string()) != std::string::npos);
    return text;
  }
}

// Both change one file in place: a file system may write one that is truncated to nothing to the device each time.

/// Calls `check(path)` for every file that is `content` cut short by at least one byte.
inline void for_each_cut(const std::string& content, const std::function<void(const std::filesystem::path&)>& check) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cut";
  overwrite_file(path, content);
  for (size_t size = content.size(); size-- > 0;) {
    CAPTURE(size);
    std::filesystem::resize_file(path, size);
    check(path);
  }
}

/// Calls `check(path)` for every file that is `content` with one bit flipped.
inline void for_each_flip(const std::string& content, const std::function<void(const std::filesystem::path&)>& check) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "flipped";
  overwrite_file(path, content);
  File file = File::open_to_write(path);
  for (size_t bit = 0; bit < 8 * content.size(); ++bit) {
    CAPTURE(bit);
    const auto flipped = static_cast<char>(static_cast<unsigned char>(content[bit / 8]) ^ (1U << (bit % 8)));
    file.write_all({bytes_of({&flipped, 1})}, bit / 8);
    check(path);
    file.write_all({bytes_of({&content[bit / 8], 1})}, bit / 8);
  }
}

}  // namespace troupe
