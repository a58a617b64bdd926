#include "troupe/callbacks/monitoring/gpu_sampler.h"

#include <utility>

namespace troupe {
namespace {

constexpr int kNvmlSuccess = 0;

/// Calls a function that may be missing. Whether it did what it says.
template <class Function, class... Arguments>
bool nvml_gives(Function* function, Arguments... arguments) {
  return function != nullptr && function(arguments...) == kNvmlSuccess;
}

}  // namespace

GpuSampler::GpuSampler(std::optional<NvmlApi> api) {
  if (api && api->init() == kNvmlSuccess) {
    api_ = std::move(api);
    find_devices();
  }
}

GpuSampler::~GpuSampler() {
  if (api_) {
    api_->shutdown();
  }
}

void GpuSampler::find_devices() {
  unsigned int count = 0;
  if (!nvml_gives(api_->device_count, &count)) {
    return;
  }
  for (unsigned int index = 0; index < count; ++index) {
    NvmlApi::Device handle = nullptr;
    if (nvml_gives(api_->device_by_index, index, &handle)) {  // Not one that we may not use.
      devices_.push_back({"gpu:" + std::to_string(index) + "/", handle});
    }
  }
}

Measurements GpuSampler::sample() const {
  Measurements measurements;
  for (const auto& device : devices_) {
    add_load(device, measurements);
    add_memory(device, measurements);
    add_condition(device, measurements);
  }
  return measurements;
}

void GpuSampler::add_load(const Device& device, Measurements& measurements) const {
  NvmlApi::Utilization utilization{};
  if (nvml_gives(api_->utilization, device.handle, &utilization)) {
    measurements[device.prefix + "utilization_percent"] = utilization.gpu;
    measurements[device.prefix + "memory_utilization_percent"] = utilization.memory;
  }
}

void GpuSampler::add_memory(const Device& device, Measurements& measurements) const {
  NvmlApi::Memory memory{};
  if (nvml_gives(api_->memory, device.handle, &memory) && memory.total > 0) {
    const auto used = static_cast<double>(memory.used);
    const auto total = static_cast<double>(memory.total);
    measurements[device.prefix + "memory_used_bytes"] = used;
    measurements[device.prefix + "memory_total_bytes"] = total;
    measurements[device.prefix + "memory_percent"] = 100 * used / total;
  }
}

void GpuSampler::add_condition(const Device& device, Measurements& measurements) const {
  constexpr double kMilliwattsPerWatt = 1000;
  unsigned int number = 0;
  unsigned long long bits = 0;
  if (nvml_gives(api_->temperature, device.handle, NvmlApi::kGpuSensor, &number)) {
    measurements[device.prefix + "temperature_celsius"] = number;
  }
  if (nvml_gives(api_->power, device.handle, &number)) {
    measurements[device.prefix + "power_watts"] = number / kMilliwattsPerWatt;
  }
  if (nvml_gives(api_->clock, device.handle, NvmlApi::kSmClock, &number)) {
    measurements[device.prefix + "sm_clock_mhz"] = number;
  }
  if (nvml_gives(api_->clock, device.handle, NvmlApi::kMemoryClock, &number)) {
    measurements[device.prefix + "memory_clock_mhz"] = number;
  }
  if (nvml_gives(api_->throttle_reasons, device.handle, &bits)) {
    measurements[device.prefix + "throttle_reasons"] = static_cast<double>(bits);
  }
}

}  // namespace troupe
