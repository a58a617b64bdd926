// What only shows beyond 2 GiB, protobuf's limit and that of signed 32-bit sizes. Exits with 77, which CTest reports as
// skipped, where the machine has too little free memory or disk.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/state/state_dict.h"

namespace {

using namespace troupe;

constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kLargeBytes = 2 * kGiB + 200 * (uint64_t{1} << 20) + 5;
constexpr int kSkipped = 77;

/// Of /proc/meminfo, in bytes; 0 where it does not say.
uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  for (uint64_t kilobytes = 0; file >> name >> kilobytes; file.ignore(100, '\n')) {
    if (name == "MemAvailable:") {
      return kilobytes << 10U;
    }
  }
  return 0;
}

void require(bool holds, const std::string& what) {
  if (!holds) {
    throw std::runtime_error("failed: " + what);
  }
}

/// Eight bytes that say where they are.
uint64_t pattern_at(uint64_t word) {
  return word * 0x9e3779b97f4a7c15U;
}

void fill(TensorBuffer& buffer) {
  for (uint64_t offset = 0; offset < buffer.size(); offset += sizeof(uint64_t)) {
    const uint64_t word = pattern_at(offset / sizeof word);
    std::memcpy(buffer.data() + offset, &word, std::min<uint64_t>(sizeof word, buffer.size() - offset));
  }
}

bool holds_pattern(const TensorBuffer& buffer) {
  for (uint64_t offset = 0; offset < buffer.size(); offset += sizeof(uint64_t)) {
    const uint64_t word = pattern_at(offset / sizeof word);
    if (std::memcmp(buffer.data() + offset, &word, std::min<uint64_t>(sizeof word, buffer.size() - offset)) != 0) {
      return false;
    }
  }
  return true;
}

void a_tensor_beyond_2_gib_comes_back_bit_for_bit(const std::filesystem::path& path) {
  {
    TensorBuffer bytes(kLargeBytes);
    fill(bytes);
    CheckpointParts parts;
    parts.tensors.push_back({"module.large", v1::DTYPE_UINT8, {static_cast<int64_t>(kLargeBytes)}, bytes.view()});
    parts.training_state.set_seed(7);
    const auto written = write_checkpoint(path, parts);
    require(written.bytes > kLargeBytes, "the file is as large as the tensor");
  }  // Its memory is free for what is read.
  const CheckpointData data = read_checkpoint(path);
  require(data.tensors.size() == 1 && data.tensors[0].size() == kLargeBytes, "the tensor has its size");
  require(holds_pattern(data.tensors[0]), "the tensor has its bytes");
  require(data.training_state && data.training_state->seed() == 7, "what follows the tensor is there");
  std::filesystem::remove(path);
}

void a_small_state_beyond_2_gib_is_refused(const std::filesystem::path& path) {
  CheckpointParts parts;
  parts.training_state.mutable_module_state()->add_entries()->mutable_value()->mutable_bytes_value()->resize(
      kLargeBytes);
  try {
    write_checkpoint(path, parts);
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    require(text.starts_with("cannot write a TrainingState to " + path.string()) &&
                text.find("at most 2147483647 are allowed") != std::string::npos,
            "the error says what is too large: " + text);
    require(std::filesystem::is_empty(path.parent_path()), "nothing is left of the file");
    return;
  }
  require(false, "a training state of 2.2 GiB is refused");
}

}  // namespace

int main() {
  try {
    const TemporaryFolder folder;
    const uint64_t disk = std::filesystem::space(folder.path()).available;
    if (available_memory() < 8 * kGiB || disk < 6 * kGiB) {
      std::cout << "skipped: needs 8 GiB of free memory and 6 GiB of disk in " << folder.path().parent_path() << '\n';
      return kSkipped;
    }
    a_small_state_beyond_2_gib_is_refused(folder.path() / "large.ckpt");
    a_tensor_beyond_2_gib_comes_back_bit_for_bit(folder.path() / "large.ckpt");
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
