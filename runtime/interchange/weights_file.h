#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "troupe/runtime/file/mapped_file.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {

/// The named weights in a file of any format that Troupe reads, told apart by their first bytes: a checkpoint of
/// Troupe, safetensors, a state_dict that torch.save wrote, or NumPy's npz. Names are those of the module's parameters
/// and buffers, without "module."; each is there once.
class WeightsFile {
 public:
  /// Opens the file and checks all of it that its format lets it check. Throws IoError, and CorruptionError for what is
  /// damaged or not allowed in it. Memory: the module's tensors of a checkpoint, which is read twice; of other files
  /// what is not contiguous in them, and their table of tensors.
  explicit WeightsFile(const std::filesystem::path& path);

  /// "Troupe checkpoint", "safetensors", "torch.save" or "npz".
  std::string_view format() const { return format_; }
  /// In the file's order, of safetensors by name. Valid as long as this object.
  const std::vector<TensorView>& tensors() const { return found_.tensors; }

 private:
  void read_zip_archive();
  void read_checkpoint_weights();
  void check_names() const;

  MappedFile file_;
  std::string_view format_;
  FoundTensors found_;
};

/// Whether the file begins as a checkpoint of Troupe does; nothing else of it is read. Throws IoError.
bool starts_like_checkpoint(const std::filesystem::path& path);

}  // namespace troupe
