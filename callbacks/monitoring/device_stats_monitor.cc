#include "troupe/callbacks/monitoring/device_stats_monitor.h"

#include <algorithm>
#include <iostream>
#include <utility>

namespace troupe {
namespace {

constexpr std::chrono::milliseconds kTrainingInterval{100};  // A processor's tick is 10 ms.
constexpr std::chrono::milliseconds kEvaluationInterval{1000};

/// Whether `key` is the name of a measurement, or of what it is of every device.
bool names_measurement(const std::string& key, const std::string& name) {
  const size_t slash = name.find('/');
  return key == name || (slash != std::string::npos && name.compare(slash + 1, std::string::npos, key) == 0);
}

}  // namespace

void DeviceStatsMonitorOptions::describe(OptionVisitor& visit) {
  visit("cpu_stats", cpu_stats, "Measure process and machine too; none: where there is no GPU.");
  visit("filter_keys", filter_keys, "Only these, such as cpu_percent, power_watts or gpu:0/power_watts; empty: all.");
}

DeviceStatsMonitor::DeviceStatsMonitor(DeviceStatsMonitorOptions options, DeviceStatsSources sources)
    : options_(std::move(options)), sources_(std::move(sources)), host_(sources_.read) {
  check_options("DeviceStatsMonitor", options_);
}

void DeviceStatsMonitor::on(const RunStarted&) {
  begin(0);
}

void DeviceStatsMonitor::on(const RunResumed&, const RunState& run) {
  begin(run.global_step());
}

void DeviceStatsMonitor::begin(uint64_t step) {
  last_step_ = step;
  measured_at_.reset();
  sample();
}

void DeviceStatsMonitor::on(const TrainBatchEnded&, const RunState& run) {
  const uint64_t every = run.fit().log_every_n_steps();
  if (every > 0 && run.global_step() / every > last_step_ / every) {
    measure("on_train_batch_end", kTrainingInterval);
  }
  last_step_ = run.global_step();
}

void DeviceStatsMonitor::on(const ValidationBatchEnded&, const RunState& run) {
  measure_evaluation("on_validation_batch_end", run);
}

void DeviceStatsMonitor::on(const TestBatchEnded&, const RunState& run) {
  measure_evaluation("on_test_batch_end", run);
}

void DeviceStatsMonitor::measure_evaluation(const char* hook, const RunState& run) {
  const bool logs = run.run_stage() != v1::STAGE_FIT || run.fit().log_every_n_steps() > 0;
  if (logs && !run.sanity_checking()) {
    measure(hook, kEvaluationInterval);
  }
}

void DeviceStatsMonitor::measure(const char* hook, std::chrono::milliseconds interval) {
  const auto now = sources_.now();
  if (measured_at_ && now - *measured_at_ < interval) {
    return;
  }
  measured_at_ = now;
  const Measurements measurements = sample();
  check_filter_keys(measurements);
  Measurements named;
  for (const auto& [name, value] : measurements) {
    if (is_wanted(name)) {
      named[std::string("DeviceStatsMonitor.") + hook + "/" + name] = value;
    }
  }
  if (!named.empty() && outbox_ != nullptr) {
    outbox_->emit(measured_event(named));
  }
}

Measurements DeviceStatsMonitor::sample() {
  if (gpus_ == nullptr) {
    gpus_ = std::make_shared<GpuSampler>(sources_.load_nvml());
  }
  Measurements measurements = gpus_->sample();
  if (options_.cpu_stats.value_or(!gpus_->has_devices())) {
    measurements.merge(host_.sample());
  }
  return measurements;
}

bool DeviceStatsMonitor::is_wanted(const std::string& name) const {
  return options_.filter_keys.empty() || std::any_of(options_.filter_keys.begin(), options_.filter_keys.end(),
                                                     [&](const auto& key) { return names_measurement(key, name); });
}

void DeviceStatsMonitor::check_filter_keys(const Measurements& measurements) {
  if (std::exchange(filter_keys_checked_, true)) {
    return;
  }
  for (const auto& key : options_.filter_keys) {
    const bool known = std::any_of(measurements.begin(), measurements.end(),
                                   [&](const auto& entry) { return names_measurement(key, entry.first); });
    if (!known) {
      std::vector<std::string> names;
      std::transform(measurements.begin(), measurements.end(), std::back_inserter(names),
                     [](const auto& entry) { return entry.first; });
      std::cerr << "troupe: warning: DeviceStatsMonitor: 'filter_keys': nothing that is measured here is named '" +
                       key + "'" + suggest(key, names) + "\n";
    }
  }
}

}  // namespace troupe
