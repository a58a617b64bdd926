#pragma once

#include <google/protobuf/repeated_field.h>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/training.h"

namespace troupe {

/// Learning rates among the metrics of steps, or of epochs, where LogLearningRates asked for them: those that the step
/// was made with, or that the epoch started with. Adds nothing where nobody asked.
class LearningRateLog {
 public:
  using Metrics = google::protobuf::RepeatedPtrField<Metric>;

  /// `every_n_steps`: steps between two that are logged; 0: none is.
  LearningRateLog(Training& training, int64_t every_n_steps)
      : training_(training), every_n_steps_(static_cast<uint64_t>(every_n_steps)) {}

  /// Keeps the rates that an epoch starts with.
  void start_epoch();
  void end_epoch(Metrics* metrics) const;

  /// The rates that a step is about to be made with; empty where steps do not log them.
  GroupRates rates_of_step() const;
  /// Adds them when it has been made.
  void end_step(const GroupRates& rates, Metrics* metrics) const;

 private:
  bool logs(bool per_step) const;
  void add(const GroupRates& rates, Metrics* metrics) const;

  Training& training_;
  uint64_t every_n_steps_;
};

}  // namespace troupe
