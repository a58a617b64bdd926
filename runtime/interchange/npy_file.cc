#include "troupe/runtime/interchange/npy_file.h"

#include <string>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

constexpr size_t kNpyDimensionsMax = 32;  // NumPy's own limit, up to its version 1.
constexpr size_t kElementAlignment = 64;  // Of the first element in the file.

/// As Python writes a tuple: "(3, 4)", "(3,)", "()".
std::string tuple_text(std::span<const int64_t> shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

void check_shape(const std::filesystem::path& path, std::span<const int64_t> shape, uint64_t elements) {
  const auto product = array_bytes(1, shape);
  if (product != elements) {
    throw ConfigError("write " + path.string() + ": an array of shape " + tuple_text(shape) + " has " +
                      (product ? std::to_string(*product) + " elements, but " + std::to_string(elements) + " were given"
                               : "a negative size, or more elements than can be counted"));
  }
}

}  // namespace

std::string npy_header(const std::string& what, std::string_view type, std::span<const int64_t> shape) {
  if (shape.size() > kNpyDimensionsMax) {
    throw ConfigError("write " + what + ": an array of shape " + tuple_text(shape) +
                      " has too many dimensions; at most " + std::to_string(kNpyDimensionsMax) + " are allowed");
  }
  constexpr std::string_view kMagicAndVersion("\x93NUMPY\x01\x00", 8);
  std::string text =
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + tuple_text(shape) + ", }";
  const size_t before = kMagicAndVersion.size() + sizeof(uint16_t);
  const size_t unpadded = before + text.size() + 1;
  text.append((kElementAlignment - unpadded % kElementAlignment) % kElementAlignment, ' ');
  text += '\n';
  std::string header(kMagicAndVersion);
  append_integer(header, static_cast<uint16_t>(text.size()));
  return header + text;
}

void write_npy_bytes(const std::filesystem::path& path, std::string_view type, size_t element_bytes, ByteView elements,
                     std::span<const int64_t> shape) {
  const std::string header = npy_header(path.string(), type, shape);
  check_shape(path, shape, elements.size() / element_bytes);
  write_file_atomically(path, {bytes_of(header), elements});
}

}  // namespace troupe
