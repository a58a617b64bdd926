#pragma once

#include <memory>
#include <optional>

namespace troupe {

/// The functions of NVIDIA's management library (NVML) that Troupe calls, declared as its header has them, so that
/// neither building nor starting needs it. One that the library lacks is null; `init`, `shutdown`, `device_count` and
/// `device_by_index` are there. Each gives 0 where it did what it says.
struct NvmlApi {
  using Device = void*;
  struct Utilization {
    unsigned int gpu;     ///< Percent of the time in which a kernel ran.
    unsigned int memory;  ///< Percent of the time in which memory was read or written.
  };
  struct Memory {
    unsigned long long total;  ///< Bytes.
    unsigned long long free;
    unsigned long long used;
  };
  static constexpr int kGpuSensor = 0;
  static constexpr int kSmClock = 1;
  static constexpr int kMemoryClock = 2;

  int (*init)() = nullptr;                                                         ///< nvmlInit_v2
  int (*shutdown)() = nullptr;                                                     ///< nvmlShutdown
  int (*device_count)(unsigned int* count) = nullptr;                              ///< nvmlDeviceGetCount_v2
  int (*device_by_index)(unsigned int index, Device* device) = nullptr;            ///< nvmlDeviceGetHandleByIndex_v2
  int (*utilization)(Device device, Utilization* utilization) = nullptr;           ///< nvmlDeviceGetUtilizationRates
  int (*memory)(Device device, Memory* memory) = nullptr;                          ///< nvmlDeviceGetMemoryInfo
  int (*temperature)(Device device, int sensor, unsigned int* celsius) = nullptr;  ///< nvmlDeviceGetTemperature
  int (*power)(Device device, unsigned int* milliwatts) = nullptr;                 ///< nvmlDeviceGetPowerUsage
  int (*clock)(Device device, int clock, unsigned int* megahertz) = nullptr;       ///< nvmlDeviceGetClockInfo
  /// nvmlDeviceGetCurrentClocksThrottleReasons
  int (*throttle_reasons)(Device device, unsigned long long* bits) = nullptr;

  std::shared_ptr<void> library = nullptr;  ///< Keeps the code loaded.
};

/// Loads libnvidia-ml.so.1; none where there is no such library, or one without what must be there.
std::optional<NvmlApi> load_nvml();

}  // namespace troupe
