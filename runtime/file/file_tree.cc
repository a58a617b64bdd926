#include "troupe/runtime/file/file_tree.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Nothing where there is no such file.
std::optional<File> open_if_there(const fs::path& path) {
  try {
    return File::open(path);
  } catch (const IoError&) {
    std::error_code error;
    if (!fs::exists(path, error) && !error) {
      return std::nullopt;
    }
    throw;
  }
}

/// `folder` and the folders in it, each before what it holds.
std::vector<fs::path> folders_of(const fs::path& folder) {
  std::vector<fs::path> folders{folder};
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (fs::is_directory(entry->symlink_status())) {
      folders.push_back(entry->path());
    }
  }
  if (error) {
    throw IoError("cannot list " + folder.string() + ": " + error.message());
  }
  return folders;
}

}  // namespace

bool copy_file_durably(const fs::path& from, const fs::path& to, uint64_t bytes) {
  const auto source = open_if_there(from);
  if (!source) {
    return false;
  }
  create_folders(to.parent_path());
  File copy = File::create(to);
  std::vector<std::byte> buffer(1U << 20);
  for (uint64_t done = 0; done < bytes;) {
    const size_t read = source->read(buffer.data(), std::min<uint64_t>(buffer.size(), bytes - done), done);
    if (read == 0) {
      break;
    }
    copy.write_all({ByteView(buffer.data(), read)}, done);
    done += read;
  }
  copy.sync();
  copy.close();
  return true;
}

bool link_or_copy(const fs::path& from, const fs::path& to) {
  create_folders(to.parent_path());
  return ::link(from.c_str(), to.c_str()) == 0 || copy_file_durably(from, to);
}

void sync_tree(const fs::path& folder) {
  const auto folders = folders_of(folder);
  std::for_each(folders.rbegin(), folders.rend(), sync_folder);
}

void remove_tree(const fs::path& folder) {
  std::vector<fs::path> paths{folder};
  std::error_code ignored;
  auto entry = fs::recursive_directory_iterator(folder, ignored);
  for (; !ignored && entry != fs::recursive_directory_iterator(); entry.increment(ignored)) {
    paths.push_back(entry->path());
  }
  std::for_each(paths.rbegin(), paths.rend(), [&](const fs::path& path) { fs::remove(path, ignored); });
}

}  // namespace troupe
