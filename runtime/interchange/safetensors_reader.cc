#include <algorithm>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/strict_json.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/interchange/safetensors_file.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {
namespace {

using nlohmann::json;

class SafetensorsReader {
 public:
  SafetensorsReader(const std::filesystem::path& path, ByteView file) : path_(path), file_(file) {}

  FoundTensors read() {
    const json header = read_header();
    FoundTensors found;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        check_metadata(entry);
      } else {
        found.tensors.push_back(read_tensor(name, entry));
      }
    }
    check_coverage(found.tensors);
    return found;
  }

 private:
  json read_header() {
    uint64_t length = 0;
    if (file_.size() < sizeof length) {
      fail("the file ends inside the length of the header");
    }
    length = load_integer<uint64_t>(file_.data());
    const uint64_t allowed = std::min<uint64_t>(file_.size() - sizeof length, kSafetensorsHeaderBytesMax);
    if (length > allowed) {
      fail("the header's length is " + std::to_string(length) + "; at most " + std::to_string(allowed) +
           " bytes can be there");
    }
    data_ = file_.subspan(sizeof length + length);
    const std::string_view text = text_of(file_.subspan(sizeof length, length));
    if (!text.starts_with('{')) {
      fail("the header is no JSON object");
    }
    try {
      return parse_json(text, path_.string() + ": the header");
    } catch (const ConfigError& error) {
      throw CorruptionError(error.what());
    }
  }

  void check_metadata(const json& metadata) const {
    const bool sound = metadata.is_object() && std::all_of(metadata.begin(), metadata.end(),
                                                           [](const json& value) { return value.is_string(); });
    if (!sound) {
      fail("__metadata__ is not an object of strings");
    }
  }

  TensorView read_tensor(const std::string& name, const json& entry) const {
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets")) {
      fail("tensor '" + printable(name) + "' has not just dtype, shape and data_offsets");
    }
    const auto& type = entry["dtype"];
    const std::string type_name = type.is_string() ? type.get<std::string>() : "";
    const auto dtype = find_dtype(&DTypeNames::safetensors, type_name);
    if (dtype == v1::DTYPE_UNSPECIFIED) {
      fail("tensor '" + printable(name) + "' is of dtype '" + printable(type_name) +
           "'; allowed are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL");
    }
    const auto shape = read_integers(name, entry["shape"], "shape");
    const auto offsets = read_integers(name, entry["data_offsets"], "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<uint64_t>(offsets[1]) > data_.size()) {
      fail("tensor '" + printable(name) + "' lies at " + shape_text(offsets) + "; the tensors have " +
           std::to_string(data_.size()) + " bytes");
    }
    const auto begin = static_cast<uint64_t>(offsets[0]);
    const uint64_t bytes = static_cast<uint64_t>(offsets[1]) - begin;
    if (tensor_bytes(dtype, shape) != bytes) {
      fail("tensor '" + printable(name) + "' has " + std::to_string(bytes) + " bytes, which does not fit dtype " +
           type_name + " and shape " + shape_text(shape));
    }
    return {name, dtype, shape, data_.subspan(begin, bytes)};
  }

  std::vector<int64_t> read_integers(const std::string& name, const json& list, const char* what) const {
    const bool sound = list.is_array() && list.size() <= kDimensionsMax &&
                       std::all_of(list.begin(), list.end(), [](const json& value) {
                         return value.is_number_unsigned() && value.get<uint64_t>() <= INT64_MAX;
                       });
    if (!sound) {
      fail("tensor '" + printable(name) + "' has a " + what + " that is not allowed; allowed is a list of at most " +
           std::to_string(kDimensionsMax) + " integers from 0 on");
    }
    return list.get<std::vector<int64_t>>();
  }

  /// Tensors one after the other, from the first byte to the last.
  void check_coverage(const std::vector<TensorView>& tensors) const {
    std::vector<const TensorView*> by_place;
    for (const auto& tensor : tensors) {
      by_place.push_back(&tensor);
    }
    std::sort(by_place.begin(), by_place.end(), [](const auto* a, const auto* b) {
      return std::pair(a->bytes.data(), a->bytes.size()) < std::pair(b->bytes.data(), b->bytes.size());
    });
    const std::byte* end = data_.data();
    for (const auto* tensor : by_place) {
      if (tensor->bytes.data() != end) {
        fail("tensor '" + printable(tensor->name) + "' " +
             (tensor->bytes.data() < end ? "overlaps" : "leaves a gap to") + " what lies before it");
      }
      end += tensor->bytes.size();
    }
    if (end != data_.data() + data_.size()) {
      fail(std::to_string(data_.data() + data_.size() - end) + " bytes after the last tensor belong to none");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw CorruptionError(path_.string() + ": not a sound safetensors file: " + what);
  }

  const std::filesystem::path& path_;
  ByteView file_;
  ByteView data_;  // Behind the header.
};

}  // namespace

FoundTensors read_safetensors(const std::filesystem::path& path, ByteView file) {
  return SafetensorsReader(path, file).read();
}

}  // namespace troupe
