#include "troupe/callbacks/monitoring/nvml_api.h"

#include <dlfcn.h>

namespace troupe {
namespace {

template <class Function>
void find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

std::optional<NvmlApi> load_nvml() {
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return std::nullopt;
  }
  NvmlApi api;
  api.library = std::shared_ptr<void>(library, &dlclose);
  find_function(library, "nvmlInit_v2", api.init);
  find_function(library, "nvmlShutdown", api.shutdown);
  find_function(library, "nvmlDeviceGetCount_v2", api.device_count);
  find_function(library, "nvmlDeviceGetHandleByIndex_v2", api.device_by_index);
  find_function(library, "nvmlDeviceGetUtilizationRates", api.utilization);
  find_function(library, "nvmlDeviceGetMemoryInfo", api.memory);
  find_function(library, "nvmlDeviceGetTemperature", api.temperature);
  find_function(library, "nvmlDeviceGetPowerUsage", api.power);
  find_function(library, "nvmlDeviceGetClockInfo", api.clock);
  find_function(library, "nvmlDeviceGetCurrentClocksThrottleReasons", api.throttle_reasons);
  const bool complete =
      api.init != nullptr && api.shutdown != nullptr && api.device_count != nullptr && api.device_by_index != nullptr;
  return complete ? std::optional(api) : std::nullopt;
}

}  // namespace troupe
