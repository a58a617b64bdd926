#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "troupe/runtime/file/whole_file.h"
#include "troupe/runtime/file/zip_reader.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {

/// Writes what torch.save writes of an OrderedDict of tensors, each with a storage of its own; torch.load reads it with
/// weights_only=True. `file` outlives the writer.
std::unique_ptr<TensorFileWriter> make_torch_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors);

/// Whether these are the entries of a file that torch.save wrote.
bool is_torch_file(std::span<const ZipEntry> entries);

/// The tensors of a state_dict that torch.save wrote, or of the dict under the key 'state_dict' of such a one, as
/// Lightning's checkpoints have it. Takes dense tensors and parameters of the types that Troupe has, from any device,
/// with any strides and storages in common, within the bounds of StridedTensors. Throws CorruptionError that names
/// `path`, for all else by name.
FoundTensors read_torch(const std::filesystem::path& path, std::span<const ZipEntry> entries, uint64_t file_bytes);

}  // namespace troupe
