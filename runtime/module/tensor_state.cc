#include "troupe/runtime/module/tensor_state.h"

#include <torch/torch.h>

#include <cmath>
#include <string>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/module/tensor_bytes.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {
namespace {

/// One tensor. Its index keeps the order: a StateDict sorts by name.
StateDict tensor_entry(const NamedTensor& named, size_t index) {
  const at::Tensor tensor = named.tensor.detach().cpu().contiguous();
  const auto sizes = tensor.sizes();
  StateDict entry;
  entry.set("index", index);
  entry.set("dtype", dtype_names(to_dtype(named)).name);
  entry.set("shape", std::vector<double>(sizes.begin(), sizes.end()));
  entry.set_bytes("bytes", std::string(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()));
  return entry;
}

[[noreturn]] void throw_unfit(const std::string& name, const std::string& why) {
  throw CorruptionError("state dict: tensor '" + name + "' " + why);
}

at::Tensor tensor_of(const std::string& name, const StateDict& entry) {
  TensorView view;
  view.name = name;
  view.dtype = find_dtype(&DTypeNames::name, entry.get_string("dtype"));
  if (view.dtype == v1::DTYPE_UNSPECIFIED) {
    throw_unfit(name, "is of dtype '" + entry.get_string("dtype") + "', which the format does not have");
  }
  auto wanted = static_cast<double>(dtype_bytes(view.dtype));
  for (const double size : entry.get_doubles("shape")) {
    if (!(size >= 0 && size == std::floor(size))) {
      throw_unfit(name, "has a shape that is none");
    }
    wanted *= size;
    view.shape.push_back(static_cast<int64_t>(size));
  }
  const std::string bytes = entry.get_bytes("bytes");
  if (wanted != static_cast<double>(bytes.size())) {
    throw_unfit(name, "has " + std::to_string(bytes.size()) + " bytes, which its shape and dtype do not give");
  }
  view.bytes = ByteView(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  return to_tensor(view);
}

}  // namespace

void set_tensors(StateDict& state, std::string_view name, const std::vector<NamedTensor>& tensors) {
  StateDict entries;
  for (size_t index = 0; index < tensors.size(); ++index) {
    entries.set(tensors[index].name, tensor_entry(tensors[index], index));
  }
  state.set(name, entries);
}

std::vector<NamedTensor> get_tensors(const StateDict& state, std::string_view name) {
  const StateDict entries = state.get_dict(name);
  std::vector<NamedTensor> tensors(static_cast<size_t>(entries.proto().entries_size()));
  for (const auto& named : entries.proto().entries()) {
    const StateDict entry = entries.get_dict(named.name());
    const int64_t index = entry.get_int("index");
    if (index < 0 || static_cast<size_t>(index) >= tensors.size() ||
        tensors[static_cast<size_t>(index)].tensor.defined()) {
      throw_unfit(named.name(), "has the place " + std::to_string(index) + ", which is taken or not there");
    }
    tensors[static_cast<size_t>(index)] = {named.name(), tensor_of(named.name(), entry)};
  }
  return tensors;
}

}  // namespace troupe
