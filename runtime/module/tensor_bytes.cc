#include "troupe/runtime/module/tensor_bytes.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"

namespace troupe {
namespace {

constexpr std::array<std::pair<v1::DType, at::ScalarType>, 10> kTypes{{{v1::DTYPE_FLOAT32, at::kFloat},
                                                                       {v1::DTYPE_FLOAT64, at::kDouble},
                                                                       {v1::DTYPE_FLOAT16, at::kHalf},
                                                                       {v1::DTYPE_BFLOAT16, at::kBFloat16},
                                                                       {v1::DTYPE_INT64, at::kLong},
                                                                       {v1::DTYPE_INT32, at::kInt},
                                                                       {v1::DTYPE_INT16, at::kShort},
                                                                       {v1::DTYPE_INT8, at::kChar},
                                                                       {v1::DTYPE_UINT8, at::kByte},
                                                                       {v1::DTYPE_BOOL, at::kBool}}};

at::ScalarType to_scalar_type(v1::DType dtype) {
  for (const auto& [known, scalar_type] : kTypes) {
    if (known == dtype) {
      return scalar_type;
    }
  }
  throw CorruptionError("checkpoint: dtype " + std::to_string(dtype) + " is not in the format");
}

}  // namespace

v1::DType to_dtype(const NamedTensor& named) {
  for (const auto& [dtype, scalar_type] : kTypes) {
    if (scalar_type == named.tensor.scalar_type()) {
      return dtype;
    }
  }
  throw ConfigError("checkpoint: tensor '" + named.name + "' is of dtype " + c10::toString(named.tensor.scalar_type()) +
                    ", which the format does not have");
}

at::Tensor to_tensor(const TensorView& view) {
  const auto tensor = torch::empty(view.shape, torch::dtype(to_scalar_type(view.dtype)));
  std::copy(view.bytes.begin(), view.bytes.end(), static_cast<std::byte*>(tensor.data_ptr()));
  return tensor;
}

TensorView view_tensor(const NamedTensor& named) {
  TensorView view;
  view.name = named.name;
  view.dtype = to_dtype(named);
  view.shape = named.tensor.sizes().vec();
  view.bytes = ByteView(static_cast<const std::byte*>(named.tensor.data_ptr()), named.tensor.nbytes());
  return view;
}

void require_storable(const torch::nn::Module& module) {
  const auto require_utf8 = [](const std::string& name) {
    if (!is_utf8(name)) {
      throw ConfigError("fit: the module's '" + printable(name) +
                        "' has a name that is not UTF-8: a checkpoint cannot " + "keep it; register it by another one");
    }
  };
  for (const auto& submodule : module.named_modules("", /*include_self=*/false)) {
    require_utf8(submodule.key());
  }
  for (const auto& named : named_state(module)) {
    const std::string name = without_module_prefix(named.name);
    require_utf8(name);
    if (!named.tensor.is_cpu() && !named.tensor.is_cuda()) {
      throw ConfigError("fit: the module's tensor '" + name + "' is on the device " + named.tensor.device().str() +
                        "; supported are the CPU and CUDA devices");
    }
    if (named.tensor.layout() != at::kStrided) {
      throw ConfigError("fit: the module's tensor '" + name + "' is sparse: a checkpoint holds dense ones only");
    }
    to_dtype(named);
  }
}

void add_snapshot(Snapshot& snapshot, CheckpointParts& parts) {
  snapshot.device_copies.wait();
  for (const auto& named : snapshot.tensors) {
    parts.tensors.push_back(view_tensor(named));
  }
  if (parts.header.weights_only()) {
    parts.header.mutable_module_state()->Swap(snapshot.state.mutable_module_state());
  } else {
    parts.training_state = std::move(snapshot.state);
  }
  parts.header.set_elapsed_us(snapshot.elapsed_us);
  *parts.header.mutable_position() = snapshot.position;
}

Snapshot to_snapshot(CheckpointData& data) {
  Snapshot snapshot;
  for (int i = 0; i < data.header.tensors_size(); ++i) {
    const auto& info = data.header.tensors(i);
    auto* buffer = new TensorBuffer(std::move(data.tensors[static_cast<size_t>(i)]));
    const std::vector<int64_t> shape(info.shape().begin(), info.shape().end());
    snapshot.tensors.push_back({info.name(), torch::from_blob(
                                                 buffer->data(), shape, [buffer](void* /*bytes*/) { delete buffer; },
                                                 torch::dtype(to_scalar_type(info.dtype())))});
  }
  data.tensors.clear();
  if (data.training_state) {
    snapshot.state = *data.training_state;
  } else {
    *snapshot.state.mutable_module_state() = std::move(*data.header.mutable_module_state());
  }
  snapshot.position = data.header.position();
  snapshot.elapsed_us = data.header.elapsed_us();
  return snapshot;
}

}  // namespace troupe
