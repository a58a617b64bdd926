#include "tests/support/disk_model.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

#include "troupe/runtime/file/file.h"

namespace troupe::testing {
namespace {

namespace fs = std::filesystem;

size_t below(size_t bound, std::mt19937_64& random) {
  return std::uniform_int_distribution<size_t>(0, bound - 1)(random);
}

/// The version of a block or a size. Mostly one of any moment, but also often the durable one or the last one: a disk
/// that has written nothing, or everything.
size_t pick_version(size_t versions, size_t mood, std::mt19937_64& random) {
  switch (mood) {
    case 0:
      return 0;
    case 1:
      return versions - 1;
    default:
      return below(versions, random);
  }
}

std::string image_of(const std::vector<std::string>& contents, std::mt19937_64& random) {
  if (contents.size() == 1) {
    return contents.front();
  }
  constexpr std::array<size_t, 6> kBlockBytes{1, 8, 64, 100, 512, 4096};
  constexpr size_t kMoods = 4;
  const size_t block = kBlockBytes[below(kBlockBytes.size(), random)];
  const size_t mood = below(kMoods, random);
  std::string image(contents[pick_version(contents.size(), below(kMoods, random), random)].size(), '\0');
  for (size_t begin = 0; begin < image.size(); begin += block) {
    const std::string& version = contents[pick_version(contents.size(), mood, random)];
    const size_t end = std::min({begin + block, image.size(), version.size()});
    if (begin < end) {
      std::copy(version.begin() + static_cast<std::ptrdiff_t>(begin),
                version.begin() + static_cast<std::ptrdiff_t>(end), image.begin() + static_cast<std::ptrdiff_t>(begin));
    }
  }
  return image;
}

void write_node(const DiskModel::Node& node, const fs::path& target, std::mt19937_64& random) {
  if (!node.is_folder) {
    std::ofstream(target, std::ios::binary) << image_of(node.contents, random);
    return;
  }
  fs::create_directory(target);
  for (const auto& [name, entry] : node.entries[below(node.entries.size(), random)]) {
    write_node(*entry, target / name, random);
  }
}

DiskModel::NodePtr make_node(bool is_folder) {
  auto node = std::make_shared<DiskModel::Node>();
  node->is_folder = is_folder;
  return node;
}

DiskModel::NodePtr read_node(const fs::path& path) {
  auto node = make_node(fs::is_directory(path));
  if (!node->is_folder) {
    node->contents.back() = read_file(path);
    return node;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    node->entries.back()[entry.path().filename().string()] = read_node(entry.path());
  }
  return node;
}

}  // namespace

DiskModel::DiskModel(const fs::path& folder) : root_(read_node(folder)) {}

DiskModel::NodePtr DiskModel::find(const fs::path& path) const {
  NodePtr node = root_;
  for (const auto& name : path) {
    const auto& entries = node->entries.back();
    const auto found = entries.find(name.string());
    if (found == entries.end()) {
      return nullptr;
    }
    node = found->second;
  }
  return node;
}

/// A new version of the entries of the folder that `path` lies in.
DiskModel::Entries& DiskModel::change_folder_of(const fs::path& path) {
  const NodePtr folder = find(path.parent_path());
  if (!folder) {
    throw std::logic_error("the model has no folder for " + path.string());
  }
  const Entries last = folder->entries.back();
  return folder->entries.emplace_back(last);
}

DiskModel::NodePtr DiskModel::create(const fs::path& path, bool is_folder) {
  return change_folder_of(path)[path.filename().string()] = make_node(is_folder);
}

void DiskModel::remove(const fs::path& path) {
  change_folder_of(path).erase(path.filename().string());
}

void DiskModel::rename(const fs::path& from, const fs::path& to) {
  if (from.parent_path() != to.parent_path()) {
    throw std::logic_error("the model renames within one folder only: " + from.string());
  }
  Entries& entries = change_folder_of(from);
  entries[to.filename().string()] = entries.at(from.filename().string());
  entries.erase(from.filename().string());
}

void DiskModel::link(const fs::path& from, const fs::path& to) {
  const NodePtr file = find(from);
  change_folder_of(to)[to.filename().string()] = file;
}

void DiskModel::write(Node& file, uint64_t offset, std::string_view bytes) {
  std::string content = file.contents.back();
  content.resize(std::max<size_t>(content.size(), offset + bytes.size()));
  content.replace(offset, bytes.size(), bytes);
  file.contents.push_back(std::move(content));
}

void DiskModel::truncate(Node& file, uint64_t size) {
  std::string content = file.contents.back();
  content.resize(size);
  file.contents.push_back(std::move(content));
}

void DiskModel::sync(Node& node) {
  node.contents = {node.contents.back()};
  node.entries = {node.entries.back()};
}

void DiskModel::write_image(const fs::path& target, std::mt19937_64& random) const {
  write_node(*root_, target, random);
}

}  // namespace troupe::testing
