#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/safetensors_file.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {
namespace {

constexpr size_t kHeaderAlignment = 8;  // Of the first tensor.

/// Where tensors go in the file: largest elements first, then by name.
std::vector<size_t> file_order(std::span<const v1::TensorInfo> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto size_a = dtype_bytes(tensors[a].dtype());
    const auto size_b = dtype_bytes(tensors[b].dtype());
    return size_a != size_b ? size_a > size_b : tensors[a].name() < tensors[b].name();
  });
  return order;
}

class SafetensorsWriter : public TensorFileWriter {
 public:
  SafetensorsWriter(WholeFile& file, std::span<const v1::TensorInfo> tensors,
                    const std::map<std::string, std::string>& metadata)
      : file_(file), offsets_(tensors.size()) {
    auto header = nlohmann::json::object();
    header["__metadata__"] = metadata;
    uint64_t end = 0;
    for (const size_t index : file_order(tensors)) {
      const auto& tensor = tensors[index];
      if (tensor.name() == "__metadata__") {
        throw ConfigError("safetensors: no tensor can be called '__metadata__'");
      }
      offsets_[index] = end;
      end += tensor.bytes();
      header[tensor.name()] = {{"dtype", dtype_names(tensor.dtype()).safetensors},
                               {"shape", shape_of(tensor)},
                               {"data_offsets", {offsets_[index], end}}};
    }
    write_head(header.dump());
  }

  void write(size_t index, uint64_t offset, ByteView data) override { file_.write(offsets_[index] + offset, data); }
  void finish() override {}

 private:
  void write_head(std::string header) {
    header.append((kHeaderAlignment - header.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
    if (header.size() > kSafetensorsHeaderBytesMax) {
      throw ConfigError("safetensors: the tensors need a header of " + std::to_string(header.size()) +
                        " bytes; at most " + std::to_string(kSafetensorsHeaderBytesMax) + " are allowed");
    }
    const uint64_t length = header.size();
    file_.write(0, std::as_bytes(std::span(&length, 1)));
    file_.write(sizeof length, bytes_of(header));
    for (auto& offset : offsets_) {
      offset += sizeof length + length;
    }
  }

  WholeFile& file_;
  std::vector<uint64_t> offsets_;  // Of each tensor in the file.
};

}  // namespace

std::unique_ptr<TensorFileWriter> make_safetensors_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors,
                                                          const std::map<std::string, std::string>& metadata) {
  return std::make_unique<SafetensorsWriter>(file, tensors, metadata);
}

}  // namespace troupe
