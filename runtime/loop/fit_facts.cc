#include "troupe/runtime/loop/fit_facts.h"

#include "troupe/runtime/module/module_info.h"

namespace troupe {
namespace {

/// 0 where there is no limit but the data's end.
uint64_t batches_or_none(int64_t batches) {
  return batches == kUntilTheEnd ? 0 : static_cast<uint64_t>(batches);
}

}  // namespace

v1::FitStarted fit_facts(Training& training, const FitData& data, const TrainerOptions& options) {
  v1::FitStarted facts;
  for (const auto& group : training.param_groups()) {
    *facts.add_param_groups() = group;
  }
  for (const auto& info : module_infos(training.module())) {
    *facts.add_modules() = info;
  }
  const auto& limits = data.limits();
  facts.set_max_epochs(limits.max_epochs);
  facts.set_max_steps(limits.max_steps);
  facts.set_train_batches(batches_or_none(data.first_limits().train_batches));
  facts.set_validation_batches(batches_or_none(limits.validation_batches));
  for (const int64_t batches : limits.validation_batches_by_loader) {
    facts.add_validation_batches_by_loader(static_cast<uint64_t>(batches));
  }
  facts.set_train_ends_by_itself(data.train_ends_by_itself());
  facts.set_validation_ends_by_itself(limits.validation_batches > 0 && data.validation_ends_by_itself());
  facts.set_validates_on_time(limits.validation_interval_us.has_value());
  facts.set_manual_optimization(!training.automatic());
  facts.set_validates_at_epoch_end(data.first_limits().validates_at_epoch_end);
  facts.set_fast_dev_run(options.fast_dev_run > 0);
  facts.set_log_every_n_steps(static_cast<uint32_t>(options.log_every_n_steps));
  facts.set_accumulate_grad_batches(static_cast<uint32_t>(options.accumulate_grad_batches));
  facts.set_batch_size(data.first_batch_size());
  return facts;
}

}  // namespace troupe
