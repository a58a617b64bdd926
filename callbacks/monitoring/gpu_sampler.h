#pragma once

#include <optional>
#include <string>
#include <vector>

#include "troupe/callbacks/common/measured.h"
#include "troupe/callbacks/monitoring/nvml_api.h"

namespace troupe {

/// Measures NVIDIA's devices by NVML. Without the library, or without a device, there is nothing; what a device does
/// not tell is left out.
///
/// "gpu:0/utilization_percent", memory_utilization_percent, memory_used_bytes, memory_total_bytes, memory_percent,
/// temperature_celsius, power_watts, sm_clock_mhz, memory_clock_mhz, throttle_reasons (NVML's bits: 4 is the power cap,
/// 32 and 64 are heat, 1 is idle). The number is that of nvidia-smi, whatever CUDA_VISIBLE_DEVICES says.
class GpuSampler {
 public:
  /// Starts the library, which is shut down with the object.
  explicit GpuSampler(std::optional<NvmlApi> api);
  ~GpuSampler();
  GpuSampler(const GpuSampler&) = delete;
  GpuSampler& operator=(const GpuSampler&) = delete;

  bool has_devices() const { return !devices_.empty(); }
  Measurements sample() const;

 private:
  struct Device {
    std::string prefix;  ///< "gpu:0/".
    NvmlApi::Device handle;
  };
  void find_devices();
  void add_load(const Device& device, Measurements& measurements) const;
  void add_memory(const Device& device, Measurements& measurements) const;
  void add_condition(const Device& device, Measurements& measurements) const;

  std::optional<NvmlApi> api_;  // None where it could not be started.
  std::vector<Device> devices_;
};

}  // namespace troupe
