#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "troupe/runtime/file/whole_file.h"
#include "troupe/runtime/file/zip_reader.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {

/// Writes what numpy.savez writes: an NPY file for each tensor, stored in a zip archive. `file` outlives the writer.
/// Throws ConfigError for a bfloat16 tensor: NumPy has no such type, and another one would not be the same tensor.
std::unique_ptr<TensorFileWriter> make_npz_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors);

/// Whether these are the entries of a file that numpy.savez wrote: NPY files, and nothing else.
bool is_npz_file(std::span<const ZipEntry> entries);

/// The arrays of such a file, in C or in Fortran order, little endian, of the types that Troupe has, within the bounds
/// of StridedTensors. Throws CorruptionError that names `path` and the array.
FoundTensors read_npz(const std::filesystem::path& path, std::span<const ZipEntry> entries, uint64_t file_bytes);

}  // namespace troupe
