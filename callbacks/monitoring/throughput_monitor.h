#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "troupe/callbacks/common/measured.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct ThroughputMonitorOptions {
  std::optional<double> flops_available = std::nullopt;   ///< What the device can do: operations a second.
  std::optional<double> flops_per_batch = std::nullopt;   ///< Floating-point operations of a training batch.
  std::optional<double> items_per_sample = std::nullopt;  ///< Tokens, say, that a sample has.
  std::string separator = "/";                            ///< Between the parts of names.
  int64_t window_size = 100;                              ///< Batches over which rates are taken.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Tells how fast training is, by the samples of its batches and the run's recorded time, as a v1::Measured at every
/// log_every_n_steps-th optimizer step: train/time (seconds of training), train/batches, train/samples, train/lengths
/// (items), all of this process; and once the window is full, between its first and its last batch
/// train/device/batches_per_sec, train/device/samples_per_sec, train/device/items_per_sec,
/// train/device/flops_per_sec and train/device/mfu (model FLOPs utilisation: flops_per_sec / flops_available).
///
/// Left out of the time: from the last batch before a validation, or before a pause, until their ends. Names and rule
/// are those of Lightning's ThroughputMonitor, which measures evaluations too and waits for the device after every
/// batch: here a device's time shows where the module logs, and in the long run.
class ThroughputMonitor {
 public:
  /// Throws ConfigError for options that make no sense.
  explicit ThroughputMonitor(ThroughputMonitorOptions options = {});

  void set_outbox(std::shared_ptr<Outbox> outbox) { outbox_ = std::move(outbox); }

  /// Every event, for its elapsed time.
  void on(const Event& event, const RunState& run);

 private:
  /// Where training was after a batch.
  struct Reading {
    uint64_t time_us = 0;
    uint64_t batches = 0;
    uint64_t samples = 0;
  };

  void begin(const Event& event);
  void add_batch(const Event& event, const RunState& run);
  /// What has passed since the last batch does not count.
  void leave_out_until(const Event& event);
  Measurements compute() const;
  void add_rates(Measurements& measurements) const;
  std::string name(const char* what) const;
  std::string device_name(const char* what) const;

  ThroughputMonitorOptions options_;
  std::shared_ptr<Outbox> outbox_;
  std::deque<Reading> window_;
  Reading total_;
  uint64_t last_us_ = 0;  // Elapsed time of the run up to which total_ counts.
  uint64_t last_step_ = 0;
};

}  // namespace troupe
