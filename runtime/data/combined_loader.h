#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

/// How several loaders become one; the names are Lightning's.
enum class CombineMode {
  kMaxSizeCycle,  ///< One batch of each at a time, until the longest ends; the others begin anew.
  kMinSize,       ///< One batch of each at a time, until the shortest ends.
  kSequential,    ///< All of the first, then all of the second, ...
};

template <>
struct EnumNames<CombineMode> {
  static constexpr std::array<std::pair<CombineMode, std::string_view>, 3> kNames{
      {{CombineMode::kMaxSizeCycle, "max_size_cycle"},
       {CombineMode::kMinSize, "min_size"},
       {CombineMode::kSequential, "sequential"}}};
};

/// One loader out of several. In sequence their batches come as they are. Otherwise a batch has data and target of the
/// first loader's, and in `more` what that has more, then data, target and more of each other loader's, undefined where
/// there is none; it counts as many samples as the first one's. A loader that begins anew takes the order of its next
/// epochs: with c rounds in an epoch e, those of e * c and after. Throws ConfigError without loaders, for a null one,
/// and for one that does not know its length.
std::shared_ptr<DataLoader> combine_loaders(DataLoaders loaders, CombineMode mode);

}  // namespace troupe
