#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/runtime/options/options.h"

namespace troupe {

/// What is pruned first: single elements, or whole slices along a dimension (channels).
enum class PruningFunction {
  kL1Unstructured,      ///< Elements of the smallest absolute value.
  kLnStructured,        ///< Channels of the smallest norm.
  kRandomStructured,    ///< Channels at random.
  kRandomUnstructured,  ///< Elements at random.
};

template <>
struct EnumNames<PruningFunction> {
  static constexpr std::array<std::pair<PruningFunction, std::string_view>, 4> kNames{
      {{PruningFunction::kL1Unstructured, "l1_unstructured"},
       {PruningFunction::kLnStructured, "ln_structured"},
       {PruningFunction::kRandomStructured, "random_structured"},
       {PruningFunction::kRandomUnstructured, "random_unstructured"}}};
};

constexpr bool is_structured(PruningFunction function) {
  return function == PruningFunction::kLnStructured || function == PruningFunction::kRandomStructured;
}
constexpr bool is_random(PruningFunction function) {
  return function == PruningFunction::kRandomStructured || function == PruningFunction::kRandomUnstructured;
}

/// What one round of pruning does.
struct PruningRound {
  PruningFunction function = PruningFunction::kL1Unstructured;
  /// Of what has not been pruned yet: a count, at most all, or a fraction, rounded to the nearest, halves to even.
  CountOrFraction amount = 0.5;
  bool global = true;                           ///< Elements of all tensors in one order; not with channels.
  int64_t dim = 0;                              ///< Of channels; from the last one back if negative.
  double norm = 2;                              ///< Its n, of a channel; infinity for the maximum.
  std::optional<at::Generator> generator = {};  ///< A CPU generator; for the random functions.
};

/// Prunes further: adds to `pruned` (bool, of the shapes of `tensors`, on their devices; true: pruned) what the round
/// takes, which are those of the lowest score, of equal ones the first. The rules and rounding are those of
/// torch.nn.utils.prune. Throws ConfigError for a tensor that has no dimension `dim`.
void prune_further(const std::vector<at::Tensor>& tensors, std::vector<at::Tensor>& pruned, const PruningRound& round);

}  // namespace troupe
