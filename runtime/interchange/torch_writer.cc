#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/file/zip_writer.h"
#include "troupe/runtime/interchange/torch_file.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/strided_tensor.h"

namespace troupe {
namespace {

/// Writes the opcodes of pickle protocol 2 that a state_dict needs.
class PickleText {
 public:
  PickleText& code(std::string_view opcodes) {
    bytes_.append(opcodes);
    return *this;
  }
  PickleText& global(std::string_view module, std::string_view name) {
    return code("c").code(module).code("\n").code(name).code("\n");
  }
  PickleText& string(std::string_view text) { return code("X").integer(static_cast<uint32_t>(text.size())).code(text); }
  /// From 0 on.
  PickleText& number(int64_t value) {
    if (value <= INT32_MAX) {
      return code("J").integer(static_cast<int32_t>(value));
    }
    return code("\x8a\x08").integer(value);
  }
  PickleText& tuple(std::span<const int64_t> numbers) {
    code("(");
    for (const int64_t value : numbers) {
      number(value);
    }
    return code("t");
  }
  PickleText& empty_ordered_dict() { return global("collections", "OrderedDict").code(")R"); }
  const std::string& bytes() const { return bytes_; }

 private:
  template <class Integer>
  PickleText& integer(Integer value) {
    append_integer(bytes_, value);
    return *this;
  }

  std::string bytes_;
};

/// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks).
void append_tensor(PickleText& pickle, const v1::TensorInfo& tensor, size_t index) {
  const auto shape = shape_of(tensor);
  const auto elements = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  pickle.string(tensor.name()).global("torch._utils", "_rebuild_tensor_v2").code("(");
  pickle.code("(").string("storage").global("torch", dtype_names(tensor.dtype()).storage);
  pickle.string(std::to_string(index)).string("cpu").number(elements).code("tQ");
  pickle.number(0).tuple(shape).tuple(contiguous_strides(shape)).code("\x89").empty_ordered_dict().code("tR");
}

std::string pickle_of(std::span<const v1::TensorInfo> tensors) {
  PickleText pickle;
  pickle.code("\x80\x02").empty_ordered_dict().code("(");
  for (size_t i = 0; i < tensors.size(); ++i) {
    append_tensor(pickle, tensors[i], i);
  }
  return pickle.code("u.").bytes();
}

class TorchWriter : public TensorFileWriter {
 public:
  TorchWriter(WholeFile& file, std::span<const v1::TensorInfo> tensors) : zip_(file) {
    zip_.add_whole("archive/data.pkl", bytes_of(pickle_of(tensors)));
    zip_.add_whole("archive/byteorder", bytes_of("little"));
    for (size_t i = 0; i < tensors.size(); ++i) {
      entries_.push_back(zip_.add("archive/data/" + std::to_string(i), tensors[i].bytes()));
    }
    zip_.add_whole("archive/version", bytes_of("3\n"));
  }

  void write(size_t index, uint64_t /*offset*/, ByteView data) override { zip_.write(entries_[index], data); }
  void finish() override { zip_.finish(); }

 private:
  ZipWriter zip_;
  std::vector<size_t> entries_;  // Of each tensor.
};

}  // namespace

std::unique_ptr<TensorFileWriter> make_torch_writer(WholeFile& file, std::span<const v1::TensorInfo> tensors) {
  return std::make_unique<TorchWriter>(file, tensors);
}

}  // namespace troupe
