// What a checkpoint costs: the stall of the training thread against a memcpy of the same bytes, writing and loading
// against raw writes and reads, memory, and torch::save and torch::load of the same state.
//
//   checkpoint_bench [--megabytes 50,500,2000] [--repetitions 5] [--folder .] [--device cuda]
//
// The state is that of a stack of Linear(1024, 1024) with Adam: parameters and two moments. Each repetition measures
// every row once, after one that is not counted; medians are printed. Files are synced and take the place of those
// written before. Of two writes in a row the second counts: in a virtual machine memory that was not in use for a while
// costs more than what is measured. Pages are dropped before files are read. On another device than the CPU the memcpy
// is from there to pinned memory, and "capture, copied" is from the beginning of a capture to the copy's being there.
#include <fcntl.h>
#include <torch/torch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/module/device.h"
#include "troupe/runtime/module/device_copies.h"
#include "troupe/runtime/module/shadow_memory.h"
#include "troupe/runtime/module/tensor_bytes.h"

namespace {

using namespace troupe;
namespace fs = std::filesystem;

constexpr double kMega = 1e6;
constexpr int64_t kWidth = 1024;

class Stack : public Module {
 public:
  Stack(int64_t layers, at::Device device) {
    for (int64_t i = 0; i < layers; ++i) {
      register_module("layer" + std::to_string(i),
                      torch::nn::Linear(torch::nn::LinearOptions(kWidth, kWidth).bias(false)));
    }
    to(device);
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::Adam>(parameters(), 1e-3)}};
  }
};

double seconds(const std::function<void()>& action) {
  const auto started = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

/// A line of /proc/self/status, in bytes.
uint64_t memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) {
      return std::stoull(line.substr(field.size() + 1)) * 1024;
    }
  }
  return 0;
}

/// Most memory that `action` had beyond what there was before.
double extra_memory(const std::function<void()>& action) {
  std::ofstream("/proc/self/clear_refs") << "5";  // The peak starts from here.
  const uint64_t before = memory("VmRSS");
  action();
  return static_cast<double>(std::max(memory("VmHWM"), before) - before);
}

void drop_pages(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY);
  ::fdatasync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

/// The state, and every way to copy, write and read it.
class Bench {
 public:
  Bench(double megabytes, fs::path folder, at::Device device)
      : folder_(std::move(folder)),
        device_(device),
        module_(std::max<int64_t>(1, std::llround(megabytes * kMega / (3 * 4 * kWidth * kWidth))), device),
        training_(module_, 0) {
    for (auto& parameter : module_.parameters()) {
      parameter.mutable_grad() = torch::ones_like(parameter);
    }
    training_.optimizer_step();
    training_.zero_grad();
    settle();
    std::shared_ptr<ShadowMemory> memory;
    const auto begun = std::chrono::steady_clock::now();
    times_["before the first batch"].push_back(seconds([&] { memory = training_.prepare_shadows(); }));
    memory->wait();
    times_["making the shadows"].push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    settle();
    times_["first capture"].push_back(seconds([&] { training_.capture(false); }));
    snapshot_ = training_.capture(false);  // Held: the captures that are timed fill the other shadow.
    training_.capture(false);
    settle();
    for (const auto& named : snapshot_->tensors) {
      source_.push_back(named.tensor);
      on_device_.push_back(named.tensor.to(device_));
      target_.push_back(device_.is_cpu() ? named.tensor.clone() : empty_pinned(named.tensor));
      bytes_ += named.tensor.nbytes();
    }
    settle();
  }

  void repeat() {
    time("memcpy", [&] { copy_raw(); });
    time_capture();
    time_second("raw write", [&] { write_raw(); });
    time_second("write", [&] { memory_["write"].push_back(extra_memory([&] { write(); })); });
    time_second("torch::save", [&] { memory_["torch::save"].push_back(extra_memory([&] { torch_save(); })); });
    for (const char* file : {"raw", "checkpoint", "torch"}) {
      drop_pages(folder_ / file);
    }
    time("raw read", [&] { read_raw(); });
    time("load", [&] { load(); });
    time("torch::load", [&] { torch_load(); });
  }

  /// Leaves out what was measured so far, but for what there is once only.
  void forget() {
    std::erase_if(times_, [](const auto& row) {
      return row.first != "first capture" && row.first != "making the shadows" && row.first != "before the first batch";
    });
  }
  double median(const std::string& row) { return middle(times_[row]); }
  double most_memory(const std::string& row) { return *std::max_element(memory_[row].begin(), memory_[row].end()); }
  double bytes() const { return static_cast<double>(bytes_); }

 private:
  static double middle(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  }
  void time(const std::string& row, const std::function<void()>& action) { times_[row].push_back(seconds(action)); }
  /// The second of two: its pages were in use a moment ago, for the file that the first one replaced.
  void time_second(const std::string& row, const std::function<void()>& action) {
    action();
    time(row, action);
  }

  /// How long it keeps the thread, and how long it is until the copy is there.
  void time_capture() {
    std::shared_ptr<Snapshot> taken;
    const double copied = seconds([&] {
      time("capture", [&] { taken = training_.capture(false); });
      taken->device_copies.wait();
    });
    times_["capture, copied"].push_back(copied);
  }
  /// Waits until the device has done what it was given.
  void settle() const {
    if (!device_.is_cpu()) {
      torch::cuda::synchronize(device_.index());
    }
  }

  void copy_raw() {
    for (size_t i = 0; i < source_.size(); ++i) {
      if (device_.is_cpu()) {
        std::memcpy(target_[i].data_ptr(), source_[i].data_ptr(), source_[i].nbytes());
      } else {
        target_[i].copy_(on_device_[i], /*non_blocking=*/true);
      }
    }
    settle();
  }
  void write_raw() {
    File file = File::create(folder_ / "raw.new");
    uint64_t offset = 0;
    for (const auto& tensor : source_) {
      file.write_all({ByteView(static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes())}, offset);
      offset += tensor.nbytes();
    }
    file.sync();
    rename_durably(folder_ / "raw.new", folder_ / "raw");
  }
  void read_raw() {
    const File file = File::open(folder_ / "raw");
    uint64_t offset = 0;
    std::vector<TensorBuffer> buffers;
    for (const auto& tensor : source_) {
      buffers.emplace_back(tensor.nbytes());
      offset += file.read(buffers.back().data(), tensor.nbytes(), offset);
    }
  }
  void write() {
    CheckpointParts parts;
    add_snapshot(*snapshot_, parts);
    write_checkpoint(folder_ / "checkpoint", parts);
  }
  void load() {
    auto data = read_checkpoint(folder_ / "checkpoint");
    const Snapshot snapshot = to_snapshot(data);
  }
  void torch_save() {
    torch::serialize::OutputArchive archive;
    module_.save(archive);
    torch::serialize::OutputArchive optimizer;
    training_.optimizer().save(optimizer);
    archive.write("optimizer", optimizer);
    archive.save_to((folder_ / "torch").string());
    const int file = ::open((folder_ / "torch").c_str(), O_RDONLY);
    ::fsync(file);
    ::close(file);
  }
  void torch_load() {
    torch::serialize::InputArchive archive;
    archive.load_from((folder_ / "torch").string());
  }

  fs::path folder_;
  at::Device device_;
  Stack module_;
  Training training_;
  std::shared_ptr<Snapshot> snapshot_;
  std::vector<at::Tensor> source_;
  std::vector<at::Tensor> on_device_;  // The same as `source_`; on the CPU the same memory too.
  std::vector<at::Tensor> target_;
  uint64_t bytes_ = 0;
  std::map<std::string, std::vector<double>> times_;
  std::map<std::string, std::vector<double>> memory_;
};

void print(Bench& bench, at::Device device) {
  const double megabytes = bench.bytes() / kMega;
  std::printf("\n%.0f MB of state on %s\n", megabytes, device.str().c_str());
  std::printf("  %-34s %9s %9s\n", "", "ms", "MB/s");
  for (const char* row : {"memcpy", "before the first batch", "making the shadows", "capture", "capture, copied",
                          "first capture", "raw write", "write", "torch::save", "raw read", "load", "torch::load"}) {
    const double time = bench.median(row);
    std::printf("  %-34s %9.1f %9.0f\n", row, time * 1e3, megabytes / time);
  }
  std::printf("  stall of the training thread       %.2f x memcpy\n", bench.median("capture") / bench.median("memcpy"));
  std::printf("  write                              %.0f %% of raw\n",
              100 * bench.median("raw write") / bench.median("write"));
  std::printf("  load, verified                     %.0f %% of raw\n",
              100 * bench.median("raw read") / bench.median("load"));
  std::printf("  memory beyond the copy             %.1f MB; torch::save %.1f MB\n", bench.most_memory("write") / kMega,
              bench.most_memory("torch::save") / kMega);
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Measures what a checkpoint costs.");
  std::vector<double> sizes{50, 500, 2000};
  int repetitions = 5;
  std::string where = ".";
  std::string device_name = "cpu";
  app.add_option("--megabytes", sizes, "Sizes of the state")->delimiter(',')->check(CLI::PositiveNumber);
  app.add_option("--repetitions", repetitions, "Of each")->check(CLI::PositiveNumber);
  app.add_option("--folder", where, "Where the files are written")->check(CLI::ExistingDirectory);
  app.add_option("--device", device_name, "Where the module is: cpu, cuda, cuda:1");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  torch::set_num_threads(1);
  const at::Device device = find_device(device_name);
  for (const double megabytes : sizes) {
    const fs::path folder = fs::path(where) / ("checkpoint_bench." + std::to_string(::getpid()));
    fs::create_directories(folder);
    {
      Bench bench(megabytes, folder, device);
      bench.repeat();
      bench.forget();
      for (int i = 0; i < repetitions; ++i) {
        bench.repeat();
      }
      print(bench, device);
    }
    fs::remove_all(folder);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "checkpoint_bench: %s\n", error.what());
    return 1;
  }
}
