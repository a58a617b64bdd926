#include <doctest/doctest.h>
#include <torch/torch.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "examples/digits/digits_data.h"
#include "examples/digits/digits_net.h"
#include "troupe/runtime/base/error.h"

using namespace digits;

namespace {

/// A file in the temporary folder that goes with the object.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() / ("digits_test." + std::to_string(::getpid()) + ".gz")) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  void write_gzip(const std::string& text) const {
    gzFile file = gzopen(path().c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
  }

 private:
  std::filesystem::path path_;
};

std::string line(const std::string& first_pixel, const std::string& label) {
  std::string text = first_pixel;
  for (int i = 1; i < 64; ++i) {
    text += ",3";
  }
  return text + "," + label + "\n";
}

std::string error_of(const std::string& path) {
  try {
    read_digits(path);
  } catch (const troupe::CorruptionError& error) {
    return error.what();
  }
  return "no error";
}

/// Share of each class among the samples at `indices`.
std::vector<double> class_shares(const at::Tensor& labels, const std::vector<int64_t>& indices) {
  std::vector<double> shares(10);
  for (const int64_t index : indices) {
    shares[static_cast<size_t>(labels[index].item<int64_t>())] += 1.0 / static_cast<double>(indices.size());
  }
  return shares;
}

}  // namespace

TEST_CASE("the digits file has 1797 images in [0, 1] with labels 0 to 9") {
  const Digits digits = read_digits();
  CHECK(digits.images.sizes() == at::IntArrayRef({1797, 1, 8, 8}));
  CHECK(digits.images.dtype() == torch::kFloat);
  CHECK(digits.images.min().item<float>() == 0);
  CHECK(digits.images.max().item<float>() == 1);
  CHECK(digits.images[0][0][0][2].item<float>() == 5.0F / 16);
  CHECK(digits.labels.dtype() == torch::kLong);
  CHECK(torch::bincount(digits.labels)
            .equal(torch::tensor({178, 182, 177, 183, 181, 182, 181, 179, 174, 180}, torch::kLong)));
}

TEST_CASE("the split puts every sample into one part, 70, 15 and 15 percent of every class") {
  const Digits digits = read_digits();
  const DigitsSplit split = split_digits(digits.labels, 1);
  std::set<int64_t> together;
  size_t count = 0;
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    together.insert(part->begin(), part->end());
    count += part->size();
  }
  CHECK(count == 1797);
  CHECK(together.size() == 1797);
  CHECK(*together.rbegin() == 1796);
  const auto everything = class_shares(digits.labels, std::vector<int64_t>(together.begin(), together.end()));
  const std::pair<const std::vector<int64_t>*, double> parts[] = {
      {&split.train, 0.70}, {&split.validation, 0.15}, {&split.test, 0.15}};
  for (const auto& [part, share] : parts) {
    CHECK(static_cast<double>(part->size()) / 1797 == doctest::Approx(share).epsilon(0.02));
    const auto shares = class_shares(digits.labels, *part);
    for (size_t digit = 0; digit < shares.size(); ++digit) {
      CHECK(std::abs(shares[digit] - everything[digit]) < 0.005);
    }
  }
}

TEST_CASE("the split is a function of the seed") {
  const Digits digits = read_digits();
  CHECK(split_digits(digits.labels, 1).test == split_digits(digits.labels, 1).test);
  CHECK(split_digits(digits.labels, 1).test != split_digits(digits.labels, 2).test);
}

TEST_CASE("a digits file that is missing or damaged is refused with its name and the place") {
  const TemporaryFile file;
  CHECK_THROWS_AS(read_digits("/nowhere/digits.csv.gz"), troupe::IoError);
  file.write_gzip(line("1", "2") + line("1", "2,5"));
  CHECK(error_of(file.path()) ==
        "digits file " + file.path() + ", line 2 is not 65 integers with commas between them (column 65)");
  file.write_gzip(line("1", "2") + "1,2,3\n");
  CHECK(error_of(file.path()) ==
        "digits file " + file.path() + ", line 2 is not 65 integers with commas between them (column 3)");
  file.write_gzip(line("17", "2"));
  CHECK(error_of(file.path()) == "digits file " + file.path() + ", line 1 has 17 in column 1, which must be in 0..16");
  file.write_gzip(line("-1", "2"));
  CHECK(error_of(file.path()) == "digits file " + file.path() + ", line 1 has -1 in column 1, which must be in 0..16");
  file.write_gzip(line("1", "10"));
  CHECK(error_of(file.path()) == "digits file " + file.path() + ", line 1 has 10 in column 65, which must be in 0..9");
  for (const std::string number : {"", "1.5", "x", " 1", "99999999999"}) {
    file.write_gzip(line(number, "2"));
    CHECK(error_of(file.path()) ==
          "digits file " + file.path() + ", line 1 is not 65 integers with commas between them (column 1)");
  }
  file.write_gzip(line("1", "2") + line("1", "2").substr(0, 129));
  CHECK(error_of(file.path()) == "digits file " + file.path() + ", line 2 is too long or does not end in a line break");
  file.write_gzip("");
  CHECK(error_of(file.path()) == "digits file " + file.path() + " has no lines");
}

TEST_CASE("a digits file that was cut or changed is refused") {
  std::ifstream input(default_path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(input), {}};
  const TemporaryFile file;
  const auto write = [&file](const std::string& bytes) { std::ofstream(file.path(), std::ios::binary) << bytes; };
  write(whole.substr(0, whole.size() / 2));
  CHECK(error_of(file.path()).find("is damaged after line") != std::string::npos);
  write(whole.substr(0, whole.size() - 3));
  CHECK(error_of(file.path()).find("is damaged after line") != std::string::npos);
  std::string changed = whole;
  changed[changed.size() - 6] = static_cast<char>(changed[changed.size() - 6] ^ 1);  // In the checksum.
  write(changed);
  CHECK(error_of(file.path()).find("is damaged after line") != std::string::npos);
}

TEST_CASE("augmentation moves an image by at most a pixel each way and fills with zeros") {
  const auto image = torch::rand({1, 8, 8}) + 1;
  const auto padded = torch::constant_pad_nd(image, {1, 1, 1, 1});
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  std::set<std::pair<int, int>> seen;
  for (int i = 0; i < 200; ++i) {
    const auto moved = shift_by_a_pixel({image, {}}, generator).data;
    for (int down = 0; down < 3; ++down) {
      for (int right = 0; right < 3; ++right) {
        if (moved.equal(padded.slice(1, down, down + 8).slice(2, right, right + 8))) {
          seen.emplace(down, right);
        }
      }
    }
    CHECK(moved.sizes() == image.sizes());
  }
  CHECK(seen.size() == 9);
}

TEST_CASE("the network gives ten logits an image and trains every parameter") {
  DigitsNet net;
  const auto logits = net.forward(torch::rand({3, 1, 8, 8}));
  CHECK(logits.sizes() == at::IntArrayRef({3, 10}));
  logits.square().sum().backward();
  for (const auto& parameter : net.named_parameters()) {
    CAPTURE(parameter.key());
    CHECK(parameter.value().grad().defined());
  }
}
