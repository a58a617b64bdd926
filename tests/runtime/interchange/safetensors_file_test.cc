#include "troupe/runtime/interchange/safetensors_file.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/golden_weights.h"
#include "tests/support/mutilated_file.h"

using namespace troupe;

namespace {

/// A file with this header and so many bytes of tensors.
std::string safetensors(const std::string& header, size_t bytes) {
  std::string length(8, '\0');
  store_integer<uint64_t>(reinterpret_cast<std::byte*>(length.data()), header.size());
  return length + header + std::string(bytes, '\1');
}

std::string safetensors_refusal(const std::string& content) {
  return refusal("x.safetensors", [&](const auto& path) { read_safetensors(path, bytes_of(content)); });
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

}  // namespace

TEST_CASE("a safetensors file of Python's reads to its names, types, shapes and values") {
  const WeightsFile file(kGoldenInterchange / "types.safetensors");
  CHECK(file.format() == "safetensors");
  check_all_types(file.tensors());
}

TEST_CASE("a safetensors file that is cut anywhere is refused") {
  for_each_cut(read_file(kGoldenInterchange / "module.safetensors"),
               [](const auto& path) { CHECK(refusal(path, [](const auto& cut) { WeightsFile file(cut); }) != ""); });
}

TEST_CASE(
    "a flipped bit in the header of a safetensors file is refused, or changes names or types but not the coverage") {
  const std::string content = read_file(kGoldenInterchange / "module.safetensors");
  const auto header = load_integer<uint64_t>(reinterpret_cast<const std::byte*>(content.data()));
  const uint64_t bytes = content.size() - 8 - header;
  for_each_flip(content, [&](const auto& path) {
    refusal(path, [&](const auto& flipped) {
      const WeightsFile file(flipped);
      uint64_t covered = 0;
      for (const auto& tensor : file.tensors()) {
        covered += tensor.bytes.size();
      }
      CHECK(covered == bytes);
    });
  });
}

TEST_CASE("what is wrong in a safetensors file is said, with what is allowed") {
  const std::string a = R"({"a":)";
  CHECK(contains(safetensors_refusal("abc"), "ends inside the length of the header"));
  CHECK(contains(safetensors_refusal(std::string(7, '\xff') + "\x7f{}"), "at most 2 bytes can be there"));
  CHECK(contains(safetensors_refusal(safetensors("[]", 0)), "the header is no JSON object"));
  CHECK(contains(safetensors_refusal(safetensors("{", 0)), "the header: line 1"));
  CHECK(contains(safetensors_refusal(safetensors(
                     a + entry("F32", "[1]", "[0,4]") + R"(,"a":)" + entry("F32", "[1]", "[4,8]") + "}", 8)),
                 "'a' is there twice"));
  CHECK(
      contains(safetensors_refusal(safetensors(a + "3}", 0)), "tensor 'a' has not just dtype, shape and data_offsets"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F8_E4M3", "[1]", "[0,1]") + "}", 1)),
                 "tensor 'a' is of dtype 'F8_E4M3'; allowed are F64, F32"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[-1]", "[0,4]") + "}", 4)),
                 "has a shape that is not allowed; allowed is a list"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[1.5]", "[0,4]") + "}", 4)),
                 "a shape that is not allowed"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[1]", "[0,8]") + "}", 4)),
                 "lies at [0, 8]; the tensors have 4 bytes"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[1]", "[4,0]") + "}", 4)), "lies at [4, 0]"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[2]", "[0,4]") + "}", 4)),
                 "does not fit dtype F32 and shape [2]"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[4611686018427387904,4]", "[0,0]") + "}", 0)),
                 "does not fit"));
  CHECK(contains(safetensors_refusal(safetensors(a + entry("F32", "[1]", "[0,4]") + "}", 8)),
                 "4 bytes after the last tensor"));
  const std::string two = a + entry("F32", "[2]", "[0,8]") + R"(,"b":)";
  CHECK(
      contains(safetensors_refusal(safetensors(two + entry("F32", "[2]", "[4,12]") + "}", 12)), "tensor 'b' overlaps"));
  CHECK(contains(safetensors_refusal(safetensors(two + entry("F32", "[1]", "[12,16]") + "}", 16)),
                 "tensor 'b' leaves a gap"));
  CHECK(contains(safetensors_refusal(safetensors(R"({"__metadata__":{"a":1}})", 0)),
                 "__metadata__ is not an object of strings"));
  CHECK(contains(safetensors_refusal(safetensors("{\"\xff\":{}}", 0)), "the header: line 1"));
  CHECK(contains(
      refusal(kGoldenInterchange / "refused/float8.safetensors", [](const auto& path) { WeightsFile file(path); }),
      "tensor 'a' is of dtype 'F8_E4M3'"));
  CHECK(safetensors_refusal(safetensors("{}", 0)).empty());
}

TEST_CASE("a header that is nested deep, or has long values, is refused with a short line") {
  const auto repeated = [](const std::string& text) {
    std::string all;
    for (int i = 0; i < 1'000'000; ++i) {
      all += text;
    }
    return all;
  };
  const std::string nested = repeated("[") + repeated("]");
  const std::string ones = "[" + repeated("1,") + "1]";
  const std::string letters = repeated("x");
  const std::string doubled = R"({")" + std::string(letters).append(R"(":1,")").append(letters).append(R"(":1})");
  for (const std::string& hostile :
       {R"({"dtype":)" + nested + R"(,"shape":[1],"data_offsets":[0,4]})", entry("F32", nested, "[0,4]"),
        entry("F32", "[1]", nested), entry("F32", ones, "[0,4]"), entry("F32", "[1]", ones),
        entry(letters, "[1]", "[0,4]"), doubled, R"({")" + letters}) {
    const std::string refused = safetensors_refusal(safetensors(R"({"a":)" + hostile + "}", 4));
    CHECK(refused.size() > 0);
    CHECK(refused.size() < 500);
  }
  const std::string shape = "[" + repeated("1,").substr(0, 126) + "1]";  // Of 64 dimensions.
  CHECK(safetensors_refusal(safetensors(R"({"a":)" + entry("F32", shape, "[0,4]") + "}", 4)).empty());
}
