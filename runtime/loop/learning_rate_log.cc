#include "troupe/runtime/loop/learning_rate_log.h"

#include <algorithm>
#include <string>

namespace troupe {

void LearningRateLog::start_epoch() {
  const auto rates = training_.group_rates();
  auto& loop = training_.loop();
  loop.mutable_epoch_learning_rates()->Assign(rates.learning_rates.begin(), rates.learning_rates.end());
  loop.mutable_epoch_momenta()->Assign(rates.momenta.begin(), rates.momenta.end());
}

void LearningRateLog::end_epoch(Metrics* metrics) const {
  if (logs(/*per_step=*/false)) {
    const auto& loop = training_.loop();
    add({{loop.epoch_learning_rates().begin(), loop.epoch_learning_rates().end()},
         {loop.epoch_momenta().begin(), loop.epoch_momenta().end()}},
        metrics);
  }
}

GroupRates LearningRateLog::rates_of_step() const {
  return logs(/*per_step=*/true) ? training_.group_rates() : GroupRates();
}

void LearningRateLog::end_step(const GroupRates& rates, Metrics* metrics) const {
  if (!rates.learning_rates.empty() && every_n_steps_ > 0 && training_.loop().global_step() % every_n_steps_ == 0) {
    add(rates, metrics);
  }
}

bool LearningRateLog::logs(bool per_step) const {
  const auto& how = training_.loop().log_learning_rates();
  const bool by_schedule = how.interval() == v1::LogLearningRates::INTERVAL_UNSPECIFIED;
  const bool logs_per_step =
      by_schedule ? training_.schedules_per_step() : how.interval() == v1::LogLearningRates::INTERVAL_STEP;
  return how.on() && logs_per_step == per_step;
}

void LearningRateLog::add(const GroupRates& rates, Metrics* metrics) const {
  const auto add_metric = [&](const std::string& name, double value) {
    auto* metric = metrics->Add();
    metric->set_name(name);
    metric->set_value(value);
  };
  const auto& how = training_.loop().log_learning_rates();
  const auto groups = training_.param_groups();
  for (size_t i = 0; i < groups.size() && i < rates.learning_rates.size(); ++i) {
    add_metric(groups[i].name(), rates.learning_rates[i]);
    if (how.log_momentum()) {
      add_metric(groups[i].name() + "-momentum", i < rates.momenta.size() ? rates.momenta[i] : groups[i].momentum());
    }
    if (how.log_weight_decay()) {
      add_metric(groups[i].name() + "-weight_decay", groups[i].weight_decay());
    }
  }
  std::sort(metrics->pointer_begin(), metrics->pointer_end(),
            [](const Metric* a, const Metric* b) { return a->name() < b->name(); });
}

}  // namespace troupe
