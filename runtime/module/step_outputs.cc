#include "troupe/runtime/module/step_outputs.h"

namespace troupe {
namespace {

int64_t bytes_of(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0;
}

}  // namespace

int64_t StepOutputs::bytes() const {
  int64_t bytes = bytes_of(batch.data) + bytes_of(batch.target) + bytes_of(loss) + bytes_of(prediction);
  for (const auto& tensor : batch.more) {
    bytes += bytes_of(tensor);
  }
  return bytes;
}

}  // namespace troupe
