#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include <troupe/runtime/data/tensor_dataset.h>

namespace digits {

/// The handwritten digits: images float32 [N, 1, 8, 8] in [0, 1], labels int64 [N] in 0..9.
struct Digits {
  at::Tensor images;
  at::Tensor labels;
};

/// The indices of each part, ascending.
struct DigitsSplit {
  std::vector<int64_t> train;
  std::vector<int64_t> validation;
  std::vector<int64_t> test;
};

/// Where the build found digits.csv.gz: the CMake option DIGITS_DATA, by default the file in this folder.
std::string default_path();

/// Reads a gzip file of lines of 65 integers: 64 pixels in 0..16, row by row, and the label. Throws troupe::IoError if
/// it cannot be opened or read, and troupe::CorruptionError, with file and line, for anything but such lines.
Digits read_digits(const std::string& path = default_path());

/// Cuts the samples into 70 % for training, 15 % for validation and 15 % for the test, each class alike: every sample
/// is in one part. A pure function of labels and seed.
DigitsSplit split_digits(const at::Tensor& labels, uint64_t seed);

/// Augmentation: moves the image by -1, 0 or 1 pixels in each direction, drawn from the generator, and fills with
/// zeros.
troupe::Example shift_by_a_pixel(troupe::Example example, at::Generator& generator);

}  // namespace digits
