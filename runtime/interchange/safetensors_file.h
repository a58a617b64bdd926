#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>

#include "troupe/runtime/file/whole_file.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {

/// Largest header that the format allows, in bytes.
inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;

/// Writes the head of a safetensors file, and then the tensors; both outlive the writer. Tensors lie sorted by size of
/// element, largest first, then by name, so that each is aligned to its elements. Throws ConfigError for a name that
/// the format has for itself, or a header that is too long for it.
std::unique_ptr<TensorFileWriter> make_safetensors_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors,
                                                          const std::map<std::string, std::string>& metadata);

/// The tensors of a safetensors file whose bytes are given; `path` is what errors name. Checks all of the header: that
/// it is JSON without doubled names, that types are known, that sizes fit shapes, and that the tensors cover the rest
/// of the file without gap or overlap. The format has no checksums, so the elements themselves cannot be checked.
/// Throws CorruptionError.
FoundTensors read_safetensors(const std::filesystem::path& path, ByteView file);

}  // namespace troupe
