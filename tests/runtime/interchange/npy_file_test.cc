#include "troupe/runtime/interchange/npy_file.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;

namespace {

template <class T>
std::string written(const std::vector<T>& elements, const std::vector<int64_t>& shape) {
  const TemporaryFolder folder;
  write_npy(folder.path() / "array.npy", std::span<const T>(elements), shape);
  CHECK(folder_content(folder.path()).size() == 1);  // No temporary file is left.
  return read_file(folder.path() / "array.npy");
}

std::string header(const std::string& file) {
  return file.substr(10, load_integer<uint16_t>(reinterpret_cast<const std::byte*>(file.data()) + 8));
}

}  // namespace

TEST_CASE("an array file is byte for byte what NumPy writes") {
  // What numpy.save (2.4) wrote for numpy.array([[1, 2, 3], [4, 5, 6]], dtype="<i4").
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }";
  expected += std::string(128 - 1 - expected.size(), ' ') + "\n";
  for (const char element : {'\1', '\2', '\3', '\4', '\5', '\6'}) {
    expected += std::string{element, 0, 0, 0};
  }
  CHECK(written<int32_t>({1, 2, 3, 4, 5, 6}, {2, 3}) == expected);
}

TEST_CASE("each element type and each shape is named as NumPy names it") {
  CHECK(header(written<float>({1}, {1})).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"));
  CHECK(header(written<double>({1}, {})).starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': (), }"));
  CHECK(header(written<int64_t>({}, {0, 5})).starts_with("{'descr': '<i8', 'fortran_order': False, 'shape': (0, 5)"));
  CHECK(header(written<uint8_t>({7, 8}, {1, 2, 1}))
            .starts_with("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2"));
}

TEST_CASE("the elements start at a multiple of 64 bytes, after a line end, for headers of any length") {
  for (size_t dimensions = 1; dimensions <= 32; ++dimensions) {
    const auto file = written<double>({0.1}, std::vector<int64_t>(dimensions, 1));
    CAPTURE(dimensions);
    const size_t start = 10 + header(file).size();
    CHECK(start % 64 == 0);
    CHECK(file[start - 1] == '\n');
    CHECK(file.size() == start + 8);
    CHECK(load_integer<double>(reinterpret_cast<const std::byte*>(file.data()) + start) == 0.1);
  }
}

TEST_CASE("a shape that does not fit the elements is refused, and nothing is written") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "array.npy";
  const std::vector<float> elements(6);
  const auto refuses = [&](const std::vector<int64_t>& shape, const char* what) {
    CHECK_THROWS_WITH_AS(write_npy(path, std::span<const float>(elements), shape), doctest::Contains(what),
                         ConfigError);
  };
  refuses({2, 4}, "an array of shape (2, 4) has 8 elements, but 6 were given");
  refuses({}, "an array of shape () has 1 elements");
  refuses({-2, -3}, "negative");
  refuses(std::vector<int64_t>(33, 1), "too many dimensions");
  refuses({std::numeric_limits<int64_t>::max(), 4}, "more elements than can be counted");
  refuses({std::numeric_limits<int64_t>::max(), 4, 0}, "has 0 elements");
  CHECK(folder_content(folder.path()).empty());
}

TEST_CASE("an array file replaces what was there, or leaves it when it cannot be written") {
  const TemporaryFolder folder;
  overwrite_file(folder.path() / "array.npy", std::string(1000, 'x'));
  write_npy(folder.path() / "array.npy", std::span<const float>(), std::vector<int64_t>{0});
  CHECK(read_file(folder.path() / "array.npy").size() == 128);
  CHECK_THROWS_AS(write_npy(folder.path() / "none" / "array.npy", std::span<const float>(), std::vector<int64_t>{0}),
                  IoError);
}
