#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/places.h"
#include "troupe/runtime/checkpoint/element_value.h"
#include "troupe/runtime/interchange/weights_file.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {

/// Files that Python programs made: tests/golden/interchange/README.md.
inline const std::filesystem::path kGoldenInterchange = testing::golden_dir() / "interchange";

inline std::vector<double> values_of(const TensorView& tensor) {
  std::vector<double> values;
  for (size_t at = 0; at < tensor.bytes.size(); at += dtype_bytes(tensor.dtype)) {
    values.push_back(element_value(tensor.dtype, tensor.bytes.data() + at));
  }
  return values;
}

inline const TensorView& tensor_named(const std::vector<TensorView>& tensors, const std::string& name) {
  CAPTURE(name);
  for (const auto& tensor : tensors) {
    if (tensor.name == name) {
      return tensor;
    }
  }
  FAIL("there is no such tensor");
  throw std::logic_error(name);
}

inline void check_tensor(const std::vector<TensorView>& tensors, const std::string& name, const std::string& dtype,
                         const std::vector<int64_t>& shape, const std::vector<double>& values) {
  CAPTURE(name);
  const auto& tensor = tensor_named(tensors, name);
  CHECK(dtype_names(tensor.dtype).name == dtype);
  CHECK(tensor.shape == shape);
  CHECK(values_of(tensor) == values);
}

/// Checks names, types, shapes and every value of the files types.* there.
inline void check_all_types(const std::vector<TensorView>& tensors, bool with_bfloat16 = true) {
  const double big = 1099511627776;  // 2 to the 40.
  const std::map<std::string, double> scales = {{"float32", 0.25}, {"float64", -0.125}, {"float16", 0.5},
                                                {"bfloat16", 0.5}, {"int64", -big},     {"int32", -70000},
                                                {"int16", -300},   {"int8", -1},        {"uint8", 2}};
  for (const auto& [dtype, scale] : scales) {
    if (dtype != "bfloat16" || with_bfloat16) {
      check_tensor(tensors, dtype, dtype, {2, 3}, {0, scale, 2 * scale, 3 * scale, 4 * scale, 100 * scale});
    }
  }
  check_tensor(tensors, "bool", "bool", {2, 3}, {0, 1, 1, 1, 0, 1});
  check_tensor(tensors, "scalar", "float32", {}, {2.5});
  check_tensor(tensors, "empty", "float32", {0, 3}, {});
  std::vector<double> counted(24);
  for (size_t i = 0; i < counted.size(); ++i) {
    counted[i] = static_cast<double>(i);
  }
  check_tensor(tensors, "layer.0.weight", "float32", {2, 3, 4}, counted);
  CHECK(tensors.size() == (with_bfloat16 ? 13 : 12));
}

}  // namespace troupe
