#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// As a number of batches: until the data ends, which nobody knows before.
inline constexpr int64_t kUntilTheEnd = std::numeric_limits<int64_t>::max();

/// How many batches of a loader the limit lets through; `total` is DataLoader::batches(), -1 where it is not known:
/// then kUntilTheEnd for the fraction 1.0. `option` names the limit in the ConfigError for another fraction of what
/// nobody knows.
int64_t limited_batches(const CountOrFraction& limit, int64_t total, std::string_view option);

/// How far a fit goes and when it validates: the trainer's options applied to the sizes of the data, by Lightning's
/// rules.
struct LoopLimits {
  int64_t train_batches = 0;       ///< Per epoch, at most, where the data ends by itself.
  int64_t validation_batches = 0;  ///< Per validation, over all loaders; 0: none.
  std::vector<int64_t> validation_batches_by_loader = {};
  std::vector<int64_t> sanity_batches = {};  ///< By loader, before training; empty: no sanity check.
  int64_t validation_interval = 1;           ///< Batches between validations, counted as count_over_epochs says.
  std::optional<uint64_t> validation_interval_us = {};  ///< Set: time between validations, and no count of batches.
  bool count_over_epochs = false;  ///< The interval counts batches over all epochs, not within each.
  int64_t validation_epochs = 1;   ///< Validate in every so-manieth epoch.
  int64_t max_epochs = -1;         ///< -1: no limit.
  int64_t min_epochs = 0;
  int64_t max_steps = -1;  ///< Optimizer steps; -1: no limit.
  int64_t min_steps = 0;
  bool validates_at_epoch_end = false;  ///< Once at the end of every epoch, and at no other time.
};

/// `options` are the effective ones; `train_total`, `validation_totals`: batches that the loaders have; each validation
/// loader is limited for itself; -1: as many as it turns out. Throws ConfigError where options and sizes do not fit.
LoopLimits loop_limits(const TrainerOptions& options, int64_t train_total,
                       const std::vector<int64_t>& validation_totals);

}  // namespace troupe
