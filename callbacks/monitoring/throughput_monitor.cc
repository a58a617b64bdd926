#include "troupe/callbacks/monitoring/throughput_monitor.h"

#include <algorithm>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr double kMicrosecondsPerSecondOfTraining = 1e6;

double seconds_of(uint64_t microseconds) {
  return static_cast<double>(microseconds) / kMicrosecondsPerSecondOfTraining;
}

}  // namespace

void ThroughputMonitorOptions::describe(OptionVisitor& visit) {
  visit("flops_available", flops_available, "Floating-point operations a second that the device can do; none: no MFU.")
      .greater_than(0);
  visit("flops_per_batch", flops_per_batch, "Floating-point operations of a training batch; none: no FLOPs.")
      .greater_than(0);
  visit("items_per_sample", items_per_sample, "Items, such as tokens, that a sample has; none: no items.")
      .greater_than(0);
  visit("separator", separator, "Between the parts of names.").required();
  visit("window_size", window_size, "Batches over which rates are taken.").at_least(2).at_most(1'000'000);
}

void ThroughputMonitorOptions::validate() const {
  if (flops_available && !flops_per_batch) {
    throw ConfigError("'flops_available' is for the utilisation, which needs 'flops_per_batch' too: give both");
  }
}

ThroughputMonitor::ThroughputMonitor(ThroughputMonitorOptions options) : options_(std::move(options)) {
  check_options("ThroughputMonitor", options_);
}

void ThroughputMonitor::on(const Event& event, const RunState& run) {
  switch (event.body_case()) {
    case Event::kTrainStarted:
    case Event::kRunResumed:
      begin(event);
      break;
    case Event::kTrainBatchEnded:
      add_batch(event, run);
      break;
    case Event::kValidationEnded:
      leave_out_until(event);
      break;
    case Event::kCommandApplied:
      if (event.command_applied().command().has_resume()) {
        leave_out_until(event);
      }
      break;
    default:
      break;
  }
}

void ThroughputMonitor::begin(const Event& event) {
  window_.clear();
  total_ = {};
  last_us_ = event.elapsed_us();
  last_step_ = event.position().global_step();
}

void ThroughputMonitor::leave_out_until(const Event& event) {
  last_us_ = event.elapsed_us();
}

void ThroughputMonitor::add_batch(const Event& event, const RunState& run) {
  total_.time_us += event.elapsed_us() - std::min<uint64_t>(last_us_, event.elapsed_us());
  last_us_ = event.elapsed_us();
  ++total_.batches;
  total_.samples += event.train_batch_ended().samples();
  window_.push_back(total_);
  if (window_.size() > static_cast<size_t>(options_.window_size)) {
    window_.pop_front();
  }
  const uint64_t every = run.fit().log_every_n_steps();
  const uint64_t step = run.global_step();
  if (every > 0 && step % every == 0 && step != last_step_ && outbox_ != nullptr) {  // Not where a batch accumulates.
    outbox_->emit(measured_event(compute()));
  }
  last_step_ = step;
}

Measurements ThroughputMonitor::compute() const {
  Measurements measurements{{name("time"), seconds_of(total_.time_us)},
                            {name("batches"), static_cast<double>(total_.batches)},
                            {name("samples"), static_cast<double>(total_.samples)}};
  if (options_.items_per_sample) {
    measurements[name("lengths")] = static_cast<double>(total_.samples) * *options_.items_per_sample;
  }
  if (window_.size() == static_cast<size_t>(options_.window_size)) {
    add_rates(measurements);
  }
  return measurements;
}

void ThroughputMonitor::add_rates(Measurements& measurements) const {
  const Reading& first = window_.front();
  const Reading& last = window_.back();
  const double elapsed_s = seconds_of(last.time_us - first.time_us);
  if (elapsed_s <= 0) {
    return;
  }
  const double batches_per_s = static_cast<double>(last.batches - first.batches) / elapsed_s;
  const double samples_per_s = static_cast<double>(last.samples - first.samples) / elapsed_s;
  measurements[device_name("batches_per_sec")] = batches_per_s;
  measurements[device_name("samples_per_sec")] = samples_per_s;
  if (options_.items_per_sample) {
    measurements[device_name("items_per_sec")] = samples_per_s * *options_.items_per_sample;
  }
  if (options_.flops_per_batch) {
    const double flops_per_s = batches_per_s * *options_.flops_per_batch;
    measurements[device_name("flops_per_sec")] = flops_per_s;
    if (options_.flops_available) {
      measurements[device_name("mfu")] = flops_per_s / *options_.flops_available;
    }
  }
}

std::string ThroughputMonitor::name(const char* what) const {
  return "train" + options_.separator + what;
}

std::string ThroughputMonitor::device_name(const char* what) const {
  return name("device") + options_.separator + what;
}

}  // namespace troupe
