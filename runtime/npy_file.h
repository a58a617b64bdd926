#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "runtime/bytes.h"

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

/// The same for elements of a known type.
template <NpyElement T>
void write_npy(const std::filesystem::path& path, std::span<const T> elements, std::span<const int64_t> shape) {
  write_npy_bytes(path, kNpyType<T>, sizeof(T), std::as_bytes(elements), shape);
}

}  // namespace troupe
