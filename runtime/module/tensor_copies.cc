#include "troupe/runtime/module/tensor_copies.h"

#include <torch/torch.h>

#include <cstring>
#include <utility>

#include "troupe/runtime/base/fault_point.h"

namespace troupe {
namespace {

bool fits(const at::Tensor& copy, const at::Tensor& tensor) {
  return copy.scalar_type() == tensor.scalar_type() && copy.sizes() == tensor.sizes();
}

void copy_into(at::Tensor& copy, const at::Tensor& tensor, DeviceCopies& device_copies) {
  if (tensor.nbytes() == 0) {
    return;  // There is no memory to point at.
  }
  if (!tensor.is_cpu()) {
    device_copies.add(tensor, copy);
  } else if (tensor.is_contiguous()) {
    std::memcpy(copy.data_ptr(), tensor.data_ptr(), tensor.nbytes());
  } else {
    copy.copy_(tensor);
  }
}

}  // namespace

TensorCopies::TensorCopies(Snapshot& snapshot) : snapshot_(snapshot) {
  snapshot_.device_copies.wait();  // Of a capture that nobody read.
  for (auto* tensors : {&snapshot.tensors, &snapshot.spare}) {
    for (auto& named : *tensors) {
      spare_.emplace(std::move(named.name), std::move(named.tensor));
    }
    tensors->clear();
  }
}

TensorCopies::~TensorCopies() {
  for (auto& [name, tensor] : spare_) {
    snapshot_.spare.push_back({name, std::move(tensor)});
  }
}

void TensorCopies::add(const std::string& name, const at::Tensor& tensor) {
  fault_point("snapshot.copy");
  const torch::NoGradGuard no_grad;
  const at::Tensor source = tensor.detach();
  at::Tensor copy;
  if (const auto spare = spare_.find(name); spare != spare_.end()) {
    if (fits(spare->second, source)) {
      copy = std::move(spare->second);
    }
    spare_.erase(spare);
  }
  if (!copy.defined()) {
    copy = source.is_cpu() ? torch::empty(source.sizes(), torch::dtype(source.scalar_type())) : empty_pinned(source);
  }
  copy_into(copy, source, snapshot_.device_copies);
  snapshot_.tensors.push_back({name, std::move(copy)});
}

}  // namespace troupe
