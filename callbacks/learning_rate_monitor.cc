#include "callbacks/learning_rate_monitor.h"

namespace troupe {

void LearningRateMonitor::on(const FitStarted&, Control& control) {
  v1::LogLearningRates how;
  if (options_.logging_interval) {
    how.set_interval(*options_.logging_interval == LoggingInterval::kStep ? v1::LogLearningRates::INTERVAL_STEP
                                                                          : v1::LogLearningRates::INTERVAL_EPOCH);
  }
  how.set_log_momentum(options_.log_momentum);
  how.set_log_weight_decay(options_.log_weight_decay);
  control.log_learning_rates(how);
}

}  // namespace troupe
