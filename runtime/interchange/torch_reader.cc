#include <algorithm>
#include <map>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/interchange/pickle_reader.h"
#include "troupe/runtime/interchange/torch_file.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/strided_tensor.h"

namespace troupe {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kPickle = "/data.pkl";

const ZipEntry* find_pickle(std::span<const ZipEntry> entries) {
  const auto found = std::find_if(entries.begin(), entries.end(), [](const ZipEntry& entry) {
    return entry.name.ends_with(kPickle) && entry.name.find('/') == entry.name.size() - kPickle.size();
  });
  return found == entries.end() ? nullptr : &*found;
}

/// A tuple of integers, one for each dimension. A pickle can have many tensors share a long one.
bool is_shape(const PickleValue& value) {
  return value.is(Kind::kTuple) && value.items.size() <= kDimensionsMax &&
         std::all_of(value.items.begin(), value.items.end(), [](const auto* item) { return item->is(Kind::kInt); });
}

std::vector<int64_t> integers(const PickleValue& tuple) {
  std::vector<int64_t> numbers;
  for (const auto* item : tuple.items) {
    numbers.push_back(item->integer);
  }
  return numbers;
}

class TorchReader {
 public:
  TorchReader(std::span<const ZipEntry> entries, uint64_t file_bytes) : tensors_(file_bytes) {
    const ZipEntry* pickle = find_pickle(entries);
    root_ = pickle->name.substr(0, pickle->name.size() - kPickle.size()) + "/";
    for (const auto& entry : entries) {
      data_[entry.name] = entry.data;
    }
    const auto byteorder = data_.find(root_ + "byteorder");
    if (byteorder != data_.end() && text_of(byteorder->second) != "little") {
      fail("its byte order is '" + printable(text_of(byteorder->second)) + "'; allowed is 'little'");
    }
  }

  FoundTensors read(const PickleValue& root) {
    const PickleValue* nested = root.find("state_dict");
    const PickleValue& dict = nested != nullptr && nested->is(Kind::kDict) ? *nested : root;
    if (!dict.is(Kind::kDict)) {
      fail("it holds " + dict.describe() + "; allowed is a state_dict, or a dict that has one under 'state_dict'");
    }
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (!dict.items[i]->is(Kind::kString)) {
        fail("a key of the state_dict is " + dict.items[i]->describe() + "; allowed are strings");
      }
      add(dict.items[i]->text, *dict.items[i + 1]);
    }
    return tensors_.take();
  }

 private:
  void add(const std::string& name, const PickleValue& value) {
    const PickleValue* tensor = &value;
    if (tensor->is(Kind::kCall) && tensor->text == "torch._utils._rebuild_parameter" && !tensor->items.empty()) {
      tensor = tensor->items[0];
    }
    if (!tensor->is(Kind::kCall) || tensor->text != "torch._utils._rebuild_tensor_v2") {
      fail("the entry '" + printable(name) + "' is " + tensor->describe() + "; allowed are dense tensors");
    }
    tensors_.add(to_strided(name, tensor->items));
  }

  /// From (storage, offset, size, stride, requires_grad, backward_hooks), and maybe metadata.
  StridedTensor to_strided(const std::string& name, const std::vector<const PickleValue*>& arguments) const {
    const bool sound = (arguments.size() == 6 || arguments.size() == 7) && arguments[0]->is(Kind::kPersistent) &&
                       arguments[1]->is(Kind::kInt) && is_shape(*arguments[2]) && is_shape(*arguments[3]);
    if (!sound) {
      fail("tensor '" + printable(name) + "' is not rebuilt as torch.save writes it, or has more than " +
           std::to_string(kDimensionsMax) + " dimensions");
    }
    if (arguments.size() == 7 && !arguments[6]->is(Kind::kNone)) {
      fail("tensor '" + printable(name) +
           "' has bits that change what its elements mean (conjugate or negative), "
           "which is not allowed: save a resolve_conj().resolve_neg() of it");
    }
    StridedTensor tensor{name, {}, {}, arguments[1]->integer, integers(*arguments[2]), integers(*arguments[3])};
    find_storage(arguments[0]->items, tensor);
    return tensor;
  }

  /// From ('storage', class, key, location, number of elements).
  void find_storage(const std::vector<const PickleValue*>& items, StridedTensor& tensor) const {
    constexpr size_t kModuleBytes = sizeof "torch." - 1;
    const bool sound = items.size() == 5 && items[0]->is(Kind::kString) && items[0]->text == "storage" &&
                       items[1]->is(Kind::kGlobal) && items[1]->text.size() > kModuleBytes &&
                       items[2]->is(Kind::kString) && items[4]->is(Kind::kInt);
    if (!sound) {
      fail("tensor '" + printable(tensor.name) + "' has a storage that is not as torch.save writes it");
    }
    tensor.dtype = find_dtype(&DTypeNames::storage, std::string_view(items[1]->text).substr(kModuleBytes));
    const auto data = data_.find(root_ + "data/" + items[2]->text);
    if (tensor.dtype == v1::DTYPE_UNSPECIFIED || data == data_.end()) {
      fail("tensor '" + printable(tensor.name) + "' is of " + items[1]->text + " '" + printable(items[2]->text) +
           "', which is not in the file");
    }
    tensor.storage = data->second;
    uint64_t bytes = 0;
    if (items[4]->integer < 0 ||
        __builtin_mul_overflow(static_cast<uint64_t>(items[4]->integer), dtype_bytes(tensor.dtype), &bytes) ||
        bytes != tensor.storage.size()) {
      fail("tensor '" + printable(tensor.name) + "' has a storage of " + std::to_string(items[4]->integer) +
           " elements, but " + std::to_string(tensor.storage.size()) + " bytes are there");
    }
  }

  [[noreturn]] static void fail(const std::string& what) { throw CorruptionError(what); }

  std::string root_;
  std::map<std::string, ByteView> data_;  // Entries by name.
  StridedTensors tensors_;
};

}  // namespace

bool is_torch_file(std::span<const ZipEntry> entries) {
  return find_pickle(entries) != nullptr;
}

FoundTensors read_torch(const std::filesystem::path& path, std::span<const ZipEntry> entries, uint64_t file_bytes) {
  try {
    TorchReader reader(entries, file_bytes);
    const Pickle pickle(find_pickle(entries)->data);
    return reader.read(pickle.root());
  } catch (const CorruptionError& error) {
    throw CorruptionError(path.string() + ": not a state_dict of torch.save that can be read: " + error.what());
  }
}

}  // namespace troupe
