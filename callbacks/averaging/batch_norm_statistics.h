#pragma once

#include <torch/nn/module.h>

#include <functional>

namespace troupe {

/// Replaces the running statistics of every BatchNorm below `module` that keeps some and is in train mode by the plain
/// means over the batches that `forward` runs through it, as torch.optim.swa_utils.update_bn does. Does nothing, and
/// does not call `forward`, where there is none. The momenta are put back, also when `forward` throws; the statistics
/// are not.
void recompute_batch_norm(torch::nn::Module& module, const std::function<void()>& forward);

}  // namespace troupe
