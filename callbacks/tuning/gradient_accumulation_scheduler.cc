#include "troupe/callbacks/tuning/gradient_accumulation_scheduler.h"

#include <iterator>
#include <limits>
#include <utility>

namespace troupe {

void GradientAccumulationSchedulerOptions::describe(OptionVisitor& visit) {
  visit("scheduling", scheduling, "Batches per optimizer step, by the epoch from which they hold; before: 1.")
      .required()
      .keys_at_least(0)
      .at_least(1)
      .at_most(std::numeric_limits<uint32_t>::max());
}

GradientAccumulationScheduler::GradientAccumulationScheduler(GradientAccumulationSchedulerOptions options)
    : options_(std::move(options)) {
  check_options("GradientAccumulationScheduler", options_);
}

int64_t GradientAccumulationScheduler::batches_in(int64_t epoch) const {
  const auto later = options_.scheduling.upper_bound(epoch);
  return later == options_.scheduling.begin() ? 1 : std::prev(later)->second;
}

void GradientAccumulationScheduler::on(const TrainEpochStarted&, Control& control) {
  const int64_t batches = batches_in(control.run().epoch());
  if (batches != control.run().accumulate_grad_batches()) {
    control.set_accumulation(batches);
  }
}

}  // namespace troupe
