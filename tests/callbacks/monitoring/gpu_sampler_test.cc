// NVML by a library of functions that pretend two devices, of which the second tells less.
#include "troupe/callbacks/monitoring/gpu_sampler.h"

#include <doctest/doctest.h>

#include <array>

using namespace troupe;

namespace {

constexpr int kNotSupported = 3;
constexpr int kNoPermission = 4;

/// What the pretended library has been told, and what it is to say.
struct PretendedNvml {
  int started = 0;
  int shut_down = 0;
  int init_result = 0;
  unsigned int devices = 2;
  int second_handle_result = 0;
};
PretendedNvml pretended;
std::array<int, 2> device_places{};

bool is_first(NvmlApi::Device device) {
  return device == &device_places[0];
}

NvmlApi pretended_api() {
  pretended = {};
  NvmlApi api;
  api.init = [] {
    pretended.started += pretended.init_result == 0 ? 1 : 0;
    return pretended.init_result;
  };
  api.shutdown = [] {
    ++pretended.shut_down;
    return 0;
  };
  api.device_count = [](unsigned int* count) {
    *count = pretended.devices;
    return 0;
  };
  api.device_by_index = [](unsigned int index, NvmlApi::Device* device) {
    *device = &device_places[index];
    return index == 1 ? pretended.second_handle_result : 0;
  };
  api.utilization = [](NvmlApi::Device device, NvmlApi::Utilization* utilization) {
    *utilization = {87, 41};
    return is_first(device) ? 0 : kNotSupported;
  };
  api.memory = [](NvmlApi::Device device, NvmlApi::Memory* memory) {
    *memory = is_first(device) ? NvmlApi::Memory{1000, 750, 250} : NvmlApi::Memory{2000, 1000, 1000};
    return 0;
  };
  api.temperature = [](NvmlApi::Device device, int sensor, unsigned int* celsius) {
    *celsius = 64;
    return sensor == NvmlApi::kGpuSensor && is_first(device) ? 0 : kNotSupported;
  };
  api.power = [](NvmlApi::Device device, unsigned int* milliwatts) {
    *milliwatts = 312500;
    return is_first(device) ? 0 : kNotSupported;
  };
  api.clock = [](NvmlApi::Device device, int clock, unsigned int* megahertz) {
    *megahertz = clock == NvmlApi::kSmClock ? 1980 : 2619;
    return is_first(device) ? 0 : kNotSupported;
  };
  api.throttle_reasons = [](NvmlApi::Device device, unsigned long long* bits) {
    *bits = 4;
    return is_first(device) ? 0 : kNotSupported;
  };
  return api;
}

const Measurements kFirstDevice{{"gpu:0/memory_clock_mhz", 2619},
                                {"gpu:0/memory_percent", 25},
                                {"gpu:0/memory_total_bytes", 1000},
                                {"gpu:0/memory_used_bytes", 250},
                                {"gpu:0/memory_utilization_percent", 41},
                                {"gpu:0/power_watts", 312.5},
                                {"gpu:0/sm_clock_mhz", 1980},
                                {"gpu:0/temperature_celsius", 64},
                                {"gpu:0/throttle_reasons", 4},
                                {"gpu:0/utilization_percent", 87}};

}  // namespace

TEST_CASE("every GPU is measured, and what one does not tell is left out") {
  Measurements wanted = kFirstDevice;
  wanted.merge(Measurements{
      {"gpu:1/memory_percent", 50}, {"gpu:1/memory_total_bytes", 2000}, {"gpu:1/memory_used_bytes", 1000}});
  {
    const GpuSampler sampler(pretended_api());
    CHECK(sampler.has_devices());
    CHECK(sampler.sample() == wanted);
    CHECK(pretended.started == 1);
    CHECK(pretended.shut_down == 0);
  }
  CHECK(pretended.shut_down == 1);
}

TEST_CASE("a GPU that may not be used keeps the others' numbers") {
  const NvmlApi api = pretended_api();
  pretended.second_handle_result = kNoPermission;
  CHECK(GpuSampler(api).sample() == kFirstDevice);
}

TEST_CASE("functions that an old library lacks are done without") {
  NvmlApi api = pretended_api();
  api.power = nullptr;
  api.throttle_reasons = nullptr;
  pretended.devices = 1;
  Measurements wanted = kFirstDevice;
  wanted.erase("gpu:0/power_watts");
  wanted.erase("gpu:0/throttle_reasons");
  CHECK(GpuSampler(api).sample() == wanted);
}

TEST_CASE("without library, driver or device there is nothing, and no error") {
  CHECK_FALSE(GpuSampler(std::nullopt).has_devices());
  CHECK(GpuSampler(std::nullopt).sample().empty());
  const NvmlApi api = pretended_api();
  pretended.init_result = 9;  // The driver is not loaded.
  CHECK(GpuSampler(api).sample().empty());
  CHECK(pretended.shut_down == 0);
  pretended = {.devices = 0};
  CHECK_FALSE(GpuSampler(api).has_devices());
}
