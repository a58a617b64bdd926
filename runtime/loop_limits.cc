#include "runtime/loop_limits.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/error.h"

namespace troupe {
namespace {

int64_t validation_interval(const TrainerOptions& options, int64_t train_batches) {
  const auto& interval = options.val_check_interval;
  if (!interval.is_count()) {
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

LoopLimits loop_limits(const TrainerOptions& options, int64_t train_total, int64_t validation_total) {
  LoopLimits limits;
  limits.train_batches = options.limit_train_batches.of(train_total);
  limits.validation_batches = options.limit_val_batches.of(validation_total);
  if (limits.validation_batches > 0) {
    limits.sanity_batches = options.num_sanity_val_steps < 0
                                ? limits.validation_batches
                                : std::min<int64_t>(options.num_sanity_val_steps, limits.validation_batches);
    limits.validation_interval = std::max<int64_t>(1, validation_interval(options, limits.train_batches));
  }
  limits.count_over_epochs = !options.check_val_every_n_epoch.has_value();
  limits.validation_epochs = options.check_val_every_n_epoch.value_or(1);
  limits.max_epochs = options.resolved_max_epochs();
  limits.max_steps = options.max_steps;
  limits.min_steps = options.min_steps.value_or(0);
  limits.min_epochs = options.resolved_min_epochs();
  limits.validates_at_epoch_end = !options.val_check_interval.is_count() &&
                                  options.val_check_interval.fraction() == 1.0 && options.check_val_every_n_epoch == 1;
  return limits;
}

}  // namespace troupe
