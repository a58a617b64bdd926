#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// Element types of an array file, by NumPy's names.
template <class T>
inline constexpr std::string_view kNpyType = {};
template <>
inline constexpr std::string_view kNpyType<float> = "<f4";
template <>
inline constexpr std::string_view kNpyType<double> = "<f8";
template <>
inline constexpr std::string_view kNpyType<int32_t> = "<i4";
template <>
inline constexpr std::string_view kNpyType<int64_t> = "<i8";
template <>
inline constexpr std::string_view kNpyType<uint8_t> = "|u1";

template <class T>
concept NpyElement = !kNpyType<T>.empty();

/// Writes `elements`, a row-major array of the given shape (empty: a scalar), to a file that numpy.load reads: format
/// NPY 1.0 (numpy.lib.format), little endian. `type` is NumPy's name of the elements' type, `element_bytes` the size
/// of one. `path` is never anything but a whole file: it is written under a temporary name in the same folder, which
/// must exist, synced and renamed; what was there is replaced. Throws ConfigError for a shape that does not have as
/// many elements, has a negative size or more than 32 dimensions, and IoError.
void write_npy_bytes(const std::filesystem::path& path, std::string_view type, size_t element_bytes, ByteView elements,
                     std::span<const int64_t> shape);

/// What stands before the elements in such a file: magic, version, length and a Python dictionary, padded so that the
/// elements start at a multiple of 64 bytes. Throws ConfigError for more than 32 dimensions; `what` is what errors
/// name.
std::string npy_header(const std::string& what, std::string_view type, std::span<const int64_t> shape);

/// What such a header says.
struct NpyHeader {
  std::string type;    ///< NumPy's name: "<f4".
  bool fortran_order;  ///< Column-major.
  std::vector<int64_t> shape;
  size_t bytes;  ///< Of the header: where the elements start.
};

/// Reads the header of an NPY file of version 1, 2 or 3 as NumPy writes it. Throws CorruptionError, without the name of
/// a file, for a type that is not one of simple elements too.
NpyHeader read_npy_header(ByteView file);

/// write_npy_bytes for elements of a known type.
template <NpyElement T>
void write_npy(const std::filesystem::path& path, std::span<const T> elements, std::span<const int64_t> shape) {
  write_npy_bytes(path, kNpyType<T>, sizeof(T), std::as_bytes(elements), shape);
}

}  // namespace troupe
