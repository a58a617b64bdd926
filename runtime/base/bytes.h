#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace troupe {

static_assert(std::endian::native == std::endian::little, "the file formats are little endian and written as they lie");

/// Bytes that somebody else owns.
using ByteView = std::span<const std::byte>;

inline ByteView bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The little-endian integer that starts at `bytes`, at any alignment.
template <class Integer>
Integer load_integer(const std::byte* bytes) {
  Integer value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class Integer>
void store_integer(std::byte* bytes, Integer value) {
  std::memcpy(bytes, &value, sizeof value);
}

}  // namespace troupe
