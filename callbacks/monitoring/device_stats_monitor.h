#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "troupe/callbacks/monitoring/gpu_sampler.h"
#include "troupe/callbacks/monitoring/host_sampler.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct DeviceStatsMonitorOptions {
  std::optional<bool> cpu_stats = std::nullopt;  ///< Measure process and machine too. Unset: where there is no GPU.
  /// Only these: "cpu_percent"; "gpu:0/power_watts", or "power_watts" for every GPU. Empty: all.
  std::vector<std::string> filter_keys = {};

  void describe(OptionVisitor& visit);
};

/// Where a DeviceStatsMonitor looks. The defaults are the machine's.
struct DeviceStatsSources {
  std::function<std::optional<NvmlApi>()> load_nvml = &troupe::load_nvml;
  std::function<std::chrono::steady_clock::time_point()> now = &std::chrono::steady_clock::now;
  ReadText read = &read_text_file;
};

/// Measures the process, the machine and its GPUs (host_sampler.h and gpu_sampler.h say what), on a thread of its own,
/// and emits a v1::Measured with names such as "DeviceStatsMonitor.on_train_batch_end/cpu_percent". In training it
/// measures at every log_every_n_steps-th optimizer step and at most ten times a second; at the ends of validation and
/// test batches at most once a second; with log_every_n_steps 0 not in a fit. What it measures is of the moment at
/// which it gets to the event.
///
/// As Lightning's DeviceStatsMonitor, which measures at the starts of batches too and needs psutil. Nothing that it
/// measures can become a reason for a decision.
class DeviceStatsMonitor {
 public:
  /// A driver may take its time.
  static constexpr CallbackPolicy kPolicy{.own_thread = true};

  explicit DeviceStatsMonitor(DeviceStatsMonitorOptions options = {}, DeviceStatsSources sources = {});

  void set_outbox(std::shared_ptr<Outbox> outbox) { outbox_ = std::move(outbox); }

  // The first sample of percentages is since one of these.
  void on(const RunStarted& event);
  void on(const RunResumed& event, const RunState& run);

  void on(const TrainBatchEnded& event, const RunState& run);
  void on(const ValidationBatchEnded& event, const RunState& run);
  void on(const TestBatchEnded& event, const RunState& run);

 private:
  void begin(uint64_t step);
  void measure_evaluation(const char* hook, const RunState& run);
  /// Measures unless the last time was less than `interval` ago.
  void measure(const char* hook, std::chrono::milliseconds interval);
  Measurements sample();
  bool is_wanted(const std::string& name) const;
  /// A warning on standard error, once, for filter keys that nothing has.
  void check_filter_keys(const Measurements& measurements);

  DeviceStatsMonitorOptions options_;
  DeviceStatsSources sources_;
  std::shared_ptr<Outbox> outbox_;
  HostSampler host_;
  std::shared_ptr<GpuSampler> gpus_;  // Made in the first run; copies of a callback that has run share it.
  uint64_t last_step_ = 0;
  std::optional<std::chrono::steady_clock::time_point> measured_at_;
  bool filter_keys_checked_ = false;
};

}  // namespace troupe
