#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// What a disk may hold after a power failure, as far as the calls that changed it say. Nothing is durable that was not
/// synced: neither the content of a file by the sync of its folder, nor its name by the sync of the file.
class DiskModel {
 public:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  using Entries = std::map<std::string, NodePtr>;

  /// A file or a folder: what it has held since the last sync. The first version is durable, the last one is seen by
  /// readers.
  struct Node {
    bool is_folder = false;
    std::vector<std::string> contents{std::string()};
    std::vector<Entries> entries{Entries()};
  };

  /// Of what lies in `folder`, all of it durable.
  explicit DiskModel(const std::filesystem::path& folder);

  /// Paths are relative to the disk's root, which is the empty path. Null if there is nothing.
  NodePtr find(const std::filesystem::path& path) const;
  NodePtr create(const std::filesystem::path& path, bool is_folder);
  void remove(const std::filesystem::path& path);
  /// Within one folder.
  void rename(const std::filesystem::path& from, const std::filesystem::path& to);
  /// A second name for the file `from`.
  void link(const std::filesystem::path& from, const std::filesystem::path& to);
  static void write(Node& file, uint64_t offset, std::string_view bytes);
  static void truncate(Node& file, uint64_t size);
  static void sync(Node& node);

  /// Writes into `target` what a power failure leaves now. Every folder: the entries of some moment since its last
  /// sync. Every file: each block as at some such moment, and the size of another one, with zeros where a block had not
  /// been written then. Blocks are from 1 byte to 4096.
  void write_image(const std::filesystem::path& target, std::mt19937_64& random) const;

 private:
  Entries& change_folder_of(const std::filesystem::path& path);

  NodePtr root_;
};

}  // namespace troupe::testing
