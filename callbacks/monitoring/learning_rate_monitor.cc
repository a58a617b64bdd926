#include "troupe/callbacks/monitoring/learning_rate_monitor.h"

namespace troupe {

void LearningRateMonitorOptions::describe(OptionVisitor& visit) {
  visit("logging_interval", logging_interval, "Log at every step or epoch; none: at each schedule's own interval.");
  visit("log_momentum", log_momentum, "Also log the momentum, or the first beta.");
  visit("log_weight_decay", log_weight_decay, "Also log the weight decay.");
}

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
