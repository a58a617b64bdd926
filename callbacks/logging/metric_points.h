#pragma once

#include <cstdint>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"

namespace troupe {

using MetricList = google::protobuf::RepeatedPtrField<Metric>;

/// The places at which loggers write metrics: what a training step logged, at every log_every_n_steps-th optimizer
/// step; the means of an epoch, of a validation (not of the sanity check) and of a test. A base class of those loggers:
/// their hooks hand it the events, and it calls `void log(const MetricList&, const RunState&)` of `Logger` at each of
/// these places where there are metrics.
template <class Logger>
class MetricPoints {
 protected:
  void take(const TrainBatchEnded& event, const RunState& run) {
    const uint64_t every = run.fit().log_every_n_steps();
    const uint64_t step = run.global_step();
    if (every == 0 || step % every != 0 || step == last_step_) {  // The same step: a batch that only accumulated.
      return;
    }
    last_step_ = step;
    pass_on(event.metrics(), run);
  }
  void take(const TrainEpochEnded& event, const RunState& run) { pass_on(event.metrics(), run); }
  void take(const ValidationEpochEnded& event, const RunState& run) {
    if (!run.sanity_checking()) {
      pass_on(event.metrics(), run);
    }
  }
  void take(const TestEpochEnded& event, const RunState& run) { pass_on(event.metrics(), run); }

  /// The last step whose own metrics were due; part of a logger's state.
  uint64_t last_step() const { return last_step_; }
  void set_last_step(uint64_t step) { last_step_ = step; }

 private:
  void pass_on(const MetricList& metrics, const RunState& run) {
    if (!metrics.empty()) {
      static_cast<Logger&>(*this).log(metrics, run);
    }
  }

  uint64_t last_step_ = 0;
};

}  // namespace troupe
