#include "troupe/runtime/interchange/npz_file.h"

#include <algorithm>
#include <string>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/file/zip_writer.h"
#include "troupe/runtime/interchange/npy_file.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/strided_tensor.h"

namespace troupe {
namespace {

constexpr std::string_view kExtension = ".npy";

class NpzWriter : public TensorFileWriter {
 public:
  NpzWriter(WholeFile& file, std::span<const v1::TensorInfo> tensors) : zip_(file) {
    for (const auto& tensor : tensors) {
      const auto type = dtype_names(tensor.dtype()).numpy;
      if (type.empty()) {
        throw ConfigError("npz: tensor '" + printable(tensor.name()) + "' is of dtype " +
                          std::string(dtype_names(tensor.dtype()).name) +
                          ", which NumPy does not have; the formats safetensors and torch have it");
      }
      const std::string header = npy_header("array '" + printable(tensor.name()) + "'", type, shape_of(tensor));
      entries_.push_back(zip_.add(tensor.name() + std::string(kExtension), header.size() + tensor.bytes()));
      zip_.write(entries_.back(), bytes_of(header));
    }
  }

  void write(size_t index, uint64_t /*offset*/, ByteView data) override { zip_.write(entries_[index], data); }
  void finish() override { zip_.finish(); }

 private:
  ZipWriter zip_;
  std::vector<size_t> entries_;  // Of each tensor.
};

/// An array as a view of its elements, in the order in which they lie.
StridedTensor to_strided(const ZipEntry& entry) {
  const NpyHeader header = read_npy_header(entry.data);
  StridedTensor tensor;
  tensor.name = entry.name.substr(0, entry.name.size() - kExtension.size());
  tensor.dtype = find_dtype(&DTypeNames::numpy, header.type);
  if (tensor.dtype == v1::DTYPE_UNSPECIFIED) {
    throw CorruptionError("its type is '" + printable(header.type) +
                          "'; allowed are '<f2', '<f4', '<f8', '<i2', '<i4', '<i8', '|i1', '|u1' and '|b1'");
  }
  tensor.storage = entry.data.subspan(header.bytes);
  tensor.shape = header.shape;
  if (tensor_bytes(tensor.dtype, tensor.shape) != tensor.storage.size()) {
    throw CorruptionError("its elements have " + std::to_string(tensor.storage.size()) +
                          " bytes, which does not fit type '" + header.type + "' and shape " +
                          shape_text(tensor.shape));
  }
  tensor.strides = contiguous_strides(tensor.shape);
  if (header.fortran_order) {
    const std::vector<int64_t> reversed(tensor.shape.rbegin(), tensor.shape.rend());
    tensor.strides = contiguous_strides(reversed);
    std::reverse(tensor.strides.begin(), tensor.strides.end());
  }
  return tensor;
}

}  // namespace

std::unique_ptr<TensorFileWriter> make_npz_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors) {
  return std::make_unique<NpzWriter>(file, tensors);
}

bool is_npz_file(std::span<const ZipEntry> entries) {
  return !entries.empty() && std::all_of(entries.begin(), entries.end(),
                                         [](const ZipEntry& entry) { return entry.name.ends_with(kExtension); });
}

FoundTensors read_npz(const std::filesystem::path& path, std::span<const ZipEntry> entries, uint64_t file_bytes) {
  StridedTensors tensors(file_bytes);
  for (const auto& entry : entries) {
    try {
      tensors.add(to_strided(entry));
    } catch (const CorruptionError& error) {
      throw CorruptionError(path.string() + ": array '" + printable(entry.name) + "': " + error.what());
    }
  }
  return tensors.take();
}

}  // namespace troupe
