#include "examples/digits/digits_data.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randint.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>

#include <troupe/runtime/base/error.h>
#include <troupe/runtime/base/permutation.h>
#include <troupe/runtime/base/random_key.h>

namespace digits {
namespace {

constexpr int64_t kSide = 8;
constexpr int64_t kPixels = kSide * kSide;
constexpr int kPixelMax = 16;
constexpr int kClasses = 10;

/// The lines of a gzip file, without their ends.
class GzipLines {
 public:
  explicit GzipLines(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb"), &gzclose) {
    if (!file_) {
      throw troupe::IoError("cannot open the digits file " + path_ + ": is DIGITS_DATA right?");
    }
  }

  /// The next line, valid until the next call; false at the end.
  bool next(std::string_view& line) {
    if (gzgets(file_.get(), buffer_.data(), static_cast<int>(buffer_.size())) == nullptr) {
      throw_if_damaged();
      return false;
    }
    ++number_;
    line = buffer_.data();
    if (!line.ends_with('\n')) {
      throw_if_damaged();
      fail("is too long or does not end in a line break");
    }
    line.remove_suffix(1);
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw troupe::CorruptionError("digits file " + path_ + ", line " + std::to_string(number_) + " " + what);
  }

 private:
  void throw_if_damaged() const {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_ERRNO) {
      throw troupe::IoError("cannot read the digits file " + path_ + " after line " + std::to_string(number_));
    }
    if (code != Z_OK) {
      throw troupe::CorruptionError("digits file " + path_ + " is damaged after line " + std::to_string(number_) +
                                    ": " + text);
    }
  }

  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  std::array<char, 1024> buffer_;
  int64_t number_ = 0;
};

using Row = std::array<int, kPixels + 1>;

Row parse_row(const GzipLines& lines, std::string_view line) {
  Row row;
  const char* at = line.data();
  const char* const end = line.data() + line.size();
  for (size_t column = 0; column < row.size(); ++column) {
    const auto [next, error] = std::from_chars(at, end, row[column]);
    const bool last = column + 1 == row.size();
    if (error != std::errc() || (last ? next != end : next == end || *next != ',')) {
      lines.fail("is not 65 integers with commas between them (column " + std::to_string(column + 1) + ")");
    }
    const int most = last ? kClasses - 1 : kPixelMax;
    if (row[column] < 0 || row[column] > most) {
      lines.fail("has " + std::to_string(row[column]) + " in column " + std::to_string(column + 1) +
                 ", which must be in 0.." + std::to_string(most));
    }
    at = last ? next : next + 1;
  }
  return row;
}

at::Tensor tensor_of(const auto& values, at::IntArrayRef sizes, at::ScalarType type) {
  at::Tensor tensor = at::empty(sizes, type);
  std::copy(values.begin(), values.end(), static_cast<std::decay_t<decltype(values[0])>*>(tensor.data_ptr()));
  return tensor;
}

}  // namespace

std::string default_path() {
  return DIGITS_DATA;
}

Digits read_digits(const std::string& path) {
  GzipLines lines(path);
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  std::string_view line;
  while (lines.next(line)) {
    const Row row = parse_row(lines, line);
    for (int64_t i = 0; i < kPixels; ++i) {
      pixels.push_back(static_cast<float>(row[i]) / kPixelMax);
    }
    labels.push_back(row.back());
  }
  if (labels.empty()) {
    throw troupe::CorruptionError("digits file " + path + " has no lines");
  }
  const auto samples = static_cast<int64_t>(labels.size());
  return {.images = tensor_of(pixels, {samples, 1, kSide, kSide}, at::kFloat),
          .labels = tensor_of(labels, {samples}, at::kLong)};
}

DigitsSplit split_digits(const at::Tensor& labels, uint64_t seed) {
  std::array<std::vector<int64_t>, kClasses> by_class;
  const int64_t* label = labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < labels.numel(); ++i) {
    by_class.at(static_cast<size_t>(label[i])).push_back(i);
  }
  DigitsSplit split;
  for (size_t digit = 0; digit < by_class.size(); ++digit) {
    const auto& samples = by_class[digit];
    if (samples.empty()) {
      continue;
    }
    const auto count = static_cast<int64_t>(samples.size());
    const int64_t train_end = std::llround(0.70 * static_cast<double>(count));
    const int64_t validation_end = std::llround(0.85 * static_cast<double>(count));
    const troupe::Permutation shuffled(count, troupe::random_key(seed, digit));
    for (int64_t k = 0; k < count; ++k) {
      auto& part = k < train_end ? split.train : k < validation_end ? split.validation : split.test;
      part.push_back(samples[static_cast<size_t>(shuffled(k))]);
    }
  }
  for (auto* part : {&split.train, &split.validation, &split.test}) {
    std::sort(part->begin(), part->end());
  }
  return split;
}

troupe::Example shift_by_a_pixel(troupe::Example example, at::Generator& generator) {
  const at::Tensor shift = at::randint(-1, 2, {2}, generator, at::kLong);
  const int64_t down = shift.data_ptr<int64_t>()[0];
  const int64_t right = shift.data_ptr<int64_t>()[1];
  example.data = at::constant_pad_nd(example.data, {right, -right, down, -down});  // A negative pad cuts off.
  return example;
}

}  // namespace digits
