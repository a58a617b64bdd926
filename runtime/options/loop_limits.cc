#include "troupe/runtime/options/loop_limits.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

int64_t validation_interval(const TrainerOptions& options, int64_t train_batches, bool ends_by_itself) {
  const auto& interval = options.val_check_interval;
  if (interval.is_fraction() && ends_by_itself) {
    if (interval.fraction() != 1.0) {
      throw ConfigError("trainer: 'val_check_interval': the training data does not say how many batches it has, so " +
                        interval.to_string() +
                        " of them is not known; allowed are 1.0, a number of batches, a duration");
    }
    return kUntilTheEnd;
  }
  if (interval.is_fraction()) {
    return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(train_batches) * interval.fraction()));
  }
  if (options.check_val_every_n_epoch && interval.count() > train_batches) {
    throw ConfigError(
        "trainer: 'val_check_interval': " + std::to_string(interval.count()) + " is more than the " +
        std::to_string(train_batches) +
        " training batches of an epoch; allowed is at most that, or check_val_every_n_epoch none, which counts batches "
        "over epochs");
  }
  return interval.count();
}

}  // namespace

int64_t limited_batches(const CountOrFraction& limit, int64_t total, std::string_view option) {
  if (total >= 0) {
    return limit.of(total);
  }
  if (limit.is_count()) {
    return limit.count();
  }
  if (limit.fraction() != 0.0 && limit.fraction() != 1.0) {
    throw ConfigError("trainer: '" + std::string(option) + "': the data does not say how many batches it has, so " +
                      limit.to_string() + " of them is not known; allowed are 1.0, 0.0, a number of batches");
  }
  return limit.fraction() == 1.0 ? kUntilTheEnd : 0;
}

LoopLimits loop_limits(const TrainerOptions& options, int64_t train_total,
                       const std::vector<int64_t>& validation_totals) {
  constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;
  const auto& interval = options.val_check_interval;
  LoopLimits limits;
  limits.train_batches = limited_batches(options.limit_train_batches, train_total, "limit_train_batches");
  for (const int64_t total : validation_totals) {
    const int64_t batches = limited_batches(options.limit_val_batches, total, "limit_val_batches");
    const bool has_end = batches != kUntilTheEnd && limits.validation_batches != kUntilTheEnd;
    limits.validation_batches = has_end ? limits.validation_batches + batches : kUntilTheEnd;
    limits.validation_batches_by_loader.push_back(batches);
  }
  if (limits.validation_batches > 0 && options.num_sanity_val_steps != 0) {
    for (const int64_t batches : limits.validation_batches_by_loader) {
      const bool all = options.num_sanity_val_steps < 0;
      limits.sanity_batches.push_back(all ? batches : std::min(options.num_sanity_val_steps, batches));
    }
  }
  if (interval.is_duration()) {
    limits.validation_interval_us = static_cast<uint64_t>(interval.seconds()) * kMicrosecondsPerSecond;
  } else if (limits.validation_batches > 0) {
    limits.validation_interval =
        std::max<int64_t>(1, validation_interval(options, limits.train_batches, train_total < 0));
  }
  limits.count_over_epochs = !options.check_val_every_n_epoch.has_value();
  limits.validation_epochs = options.check_val_every_n_epoch.value_or(1);
  limits.max_epochs = options.resolved_max_epochs();
  limits.max_steps = options.max_steps;
  limits.min_steps = options.min_steps.value_or(0);
  limits.min_epochs = options.resolved_min_epochs();
  limits.validates_at_epoch_end =
      interval.is_fraction() && interval.fraction() == 1.0 && options.check_val_every_n_epoch == 1;
  return limits;
}

}  // namespace troupe
