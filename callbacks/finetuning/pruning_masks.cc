#include "troupe/callbacks/finetuning/pruning_masks.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// How many of those that remain the round takes.
int64_t amount_of(const CountOrFraction& amount, int64_t remaining) {
  return amount.is_count() ? std::min(amount.count(), remaining)
                           : static_cast<int64_t>(std::nearbyint(amount.fraction() * static_cast<double>(remaining)));
}

/// `pruned`, a row on the CPU, with the lowest of the scores of what remains taken too.
at::Tensor take_lowest(const at::Tensor& scores, const at::Tensor& pruned, const CountOrFraction& amount) {
  const at::Tensor remaining = pruned.logical_not().nonzero().flatten();
  const auto order = std::get<1>(scores.index_select(0, remaining).sort(/*stable=*/true, 0, /*descending=*/false));
  const at::Tensor taken = remaining.index_select(0, order.slice(0, 0, amount_of(amount, remaining.numel())));
  return pruned.index_fill(0, taken, true);
}

at::Tensor random_row(int64_t size, const PruningRound& round) {
  return at::rand({size}, round.generator.value(), torch::dtype(torch::kDouble));
}

/// A score for each element, as a row on the CPU.
at::Tensor element_scores(const at::Tensor& tensor, const PruningRound& round) {
  return is_random(round.function) ? random_row(tensor.numel(), round)
                                   : tensor.detach().to(at::kCPU, torch::kDouble).abs().flatten();
}

int64_t channel_dim(const at::Tensor& tensor, const PruningRound& round) {
  const int64_t dim = round.dim < 0 ? round.dim + tensor.dim() : round.dim;
  if (dim < 0 || dim >= tensor.dim()) {
    throw ConfigError("'pruning_dim' is " + std::to_string(round.dim) + ", but a tensor to prune has " +
                      std::to_string(tensor.dim()) + " dimensions");
  }
  return dim;
}

/// The tensor on the CPU with a row for each channel.
at::Tensor channel_rows(const at::Tensor& tensor, int64_t dim) {
  return tensor.detach().cpu().transpose(0, dim).reshape({tensor.size(dim), -1});
}

void prune_channels(const at::Tensor& tensor, at::Tensor& pruned, const PruningRound& round) {
  const int64_t dim = channel_dim(tensor, round);
  const at::Tensor scores = is_random(round.function)
                                ? random_row(tensor.size(dim), round)
                                : channel_rows(tensor, dim).to(torch::kDouble).norm(round.norm, {1});
  const at::Tensor gone = take_lowest(scores, channel_rows(pruned, dim).all(1), round.amount);
  std::vector<int64_t> shape(static_cast<size_t>(tensor.dim()), 1);
  shape[static_cast<size_t>(dim)] = tensor.size(dim);
  pruned = pruned.logical_or(gone.view(shape).to(pruned.device()));
}

/// The elements of these tensors in one order.
void prune_elements(const std::vector<at::Tensor>& tensors, const std::vector<at::Tensor*>& pruned,
                    const PruningRound& round) {
  std::vector<at::Tensor> scores;
  std::vector<at::Tensor> masks;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < tensors.size(); ++i) {
    scores.push_back(element_scores(tensors[i], round));
    masks.push_back(pruned[i]->cpu().flatten());
    sizes.push_back(tensors[i].numel());
  }
  const auto parts = take_lowest(at::cat(scores), at::cat(masks), round.amount).split_with_sizes(sizes);
  for (size_t i = 0; i < tensors.size(); ++i) {
    *pruned[i] = parts[i].reshape(tensors[i].sizes()).to(tensors[i].device(), torch::kBool, false, /*copy=*/true);
  }
}

}  // namespace

void prune_further(const std::vector<at::Tensor>& tensors, std::vector<at::Tensor>& pruned, const PruningRound& round) {
  const torch::NoGradGuard no_grad;
  if (round.global && !is_structured(round.function)) {
    std::vector<at::Tensor*> all;
    for (auto& mask : pruned) {
      all.push_back(&mask);
    }
    prune_elements(tensors, all, round);
    return;
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (is_structured(round.function)) {
      prune_channels(tensors[i], pruned[i], round);
    } else {
      prune_elements({tensors[i]}, {&pruned[i]}, round);
    }
  }
}

}  // namespace troupe
