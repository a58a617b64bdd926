#include "troupe/runtime/interchange/npz_file.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/golden_weights.h"
#include "tests/support/mutilated_file.h"
#include "troupe/runtime/file/zip_writer.h"
#include "troupe/runtime/interchange/npy_file.h"

using namespace troupe;

namespace {

std::string npy(const std::string& header, size_t bytes, char version = 1) {
  std::string length(version == 1 ? 2 : 4, '\0');
  length[0] = static_cast<char>(header.size());
  return std::string("\x93NUMPY") + version + std::string(1, '\0') + length + header + std::string(bytes, '\0');
}

std::string dictionary(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }  \n";
}

/// What reading an archive with this one array says.
std::string npz_refusal(const std::string& array) {
  const ZipEntry entry{"a.npy", bytes_of(array)};
  return refusal("x.npz", [&](const auto& path) { read_npz(path, std::span(&entry, 1), 1000); });
}

}  // namespace

TEST_CASE("an npz file of NumPy's reads to its names, types, shapes and values") {
  const WeightsFile file(kGoldenInterchange / "types.npz");
  CHECK(file.format() == "npz");
  check_all_types(file.tensors(), /*with_bfloat16=*/false);
}

TEST_CASE("an array in Fortran order reads to the same values as one in C order") {
  const WeightsFile file(kGoldenInterchange / "orders.npz");
  check_tensor(file.tensors(), "fortran", "float32", {2, 3}, {0, 1, 2, 3, 4, 5});
  check_tensor(file.tensors(), "c", "float32", {2, 3}, {0, 1, 2, 3, 4, 5});
}

TEST_CASE("a header is read in each version that NumPy writes") {
  for (const char version : {'\1', '\2', '\3'}) {
    const std::string array = npy(dictionary("<f4", "(2, 3)"), 24, version);
    const NpyHeader header = read_npy_header(bytes_of(array));
    CHECK(header.type == "<f4");
    CHECK((header.shape == std::vector<int64_t>{2, 3}));
    CHECK_FALSE(header.fortran_order);
    CHECK(array.size() - header.bytes == 24);
  }
  const std::string ours = npy_header("x", "<i8", std::vector<int64_t>{5});
  CHECK((read_npy_header(bytes_of(ours)).shape == std::vector<int64_t>{5}));
}

TEST_CASE("what is wrong in an array is said, with its name") {
  CHECK(npz_refusal(npy(dictionary("<f4", "(2,)"), 8)).empty());
  CHECK(contains(npz_refusal("abc"), "x.npz: array 'a.npy': the first bytes are not those of an NPY file"));
  CHECK(contains(npz_refusal(npy("", 0, 4)), "of version 1, 2 or 3"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(2,)"), 8).substr(0, 20)), "the header is cut short"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(2,)"), 4)), "its elements have 4 bytes, which does not fit"));
  CHECK(contains(npz_refusal(npy(dictionary("<c8", "(2,)"), 16)), "its type is '<c8'; allowed are"));
  CHECK(contains(npz_refusal(npy("{'descr': [('a', '<f4')], }\n", 4)),
                 "not that of an array of simple elements, at \"{'descr': [('a'"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(-2,)"), 8)), "at \"-2,)"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(99999999999999999999,)"), 8)), "at \"9999"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(2 3)"), 24)), "at \" 3)"));
  std::string ones;
  for (int i = 0; i < 64; ++i) {
    ones += "1,";
  }
  CHECK(npz_refusal(npy(dictionary("<f4", "(" + ones + ")"), 4)).empty());
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(" + ones + "1,)"), 4)), "at \",)"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(2,)", "Maybe"), 8)), "at \"Maybe"));
  CHECK(contains(npz_refusal(npy(dictionary("<f4", "(2,)") + "x", 8)), "not that of an array"));
  CHECK(contains(npz_refusal(npy(dictionary("<f8", "(4611686018427387904, 4)"), 0)), "does not fit type"));
  const auto refused = [](const char* file) {
    return refusal(kGoldenInterchange / "refused" / file, [](const auto& path) { WeightsFile weights(path); });
  };
  CHECK(contains(refused("compressed.npz"), "entry 'a.npy': it is compressed (method 8)"));
  CHECK(contains(refused("big_endian.npz"), "array 'a.npy': its type is '>f4'"));
  CHECK(contains(refused("objects.npz"), "array 'a.npy': its type is '|O'"));
}
