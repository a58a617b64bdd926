#include "troupe/actors/run/run_environment.h"

#include <torch/torch.h>
#include <unistd.h>

#include <array>

#include "troupe/runtime/base/version.h"
#include "troupe/runtime/module/device.h"

namespace troupe {
namespace {

/// What stands behind `key` in LibTorch's account of its build, up to a comma or the end of the line.
std::string build_setting(const std::string& key) {
  const std::string config = at::show_config();
  const auto place = config.find(key);
  if (place == std::string::npos) {
    return "unknown";
  }
  const auto start = place + key.size();
  return config.substr(start, config.find_first_of(",\n", start) - start);
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string devices_text(const v1::Environment& environment) {
  std::string text;
  for (const auto& device : environment.devices()) {
    text += (text.empty() ? "" : ", ") + device;
  }
  return text.empty() ? "cpu" : text;
}

void compare(const std::string& what, const std::string& before, const std::string& now,
             std::vector<std::string>& differences) {
  if (before != now) {
    differences.push_back(what + ": " + before + " before, " + now + " now");
  }
}

}  // namespace

v1::Environment current_environment(const torch::nn::Module& module) {
  v1::Environment environment;
  environment.set_troupe_version(kVersion);
  environment.set_libtorch_version(TORCH_VERSION);
  environment.set_blas(build_setting("BLAS_INFO="));
  environment.set_cpu_capability(build_setting("CPU capability usage: "));
  environment.set_intra_op_threads(static_cast<uint32_t>(at::get_num_threads()));
  environment.set_world_size(1);
  environment.set_host(host_name());
  for (const at::Device device : accelerators_of(module)) {
    environment.add_devices(device.str());
  }
  return environment;
}

v1::Environment expected_environment(const torch::nn::Module& module, const std::string& device) {
  v1::Environment environment = current_environment(module);
  if (!device.empty()) {
    const at::Device target = find_device(device);
    environment.clear_devices();
    if (!target.is_cpu()) {
      environment.add_devices(target.str());
    }
  }
  return environment;
}

std::vector<std::string> environment_differences(const v1::Environment& before, const v1::Environment& now) {
  std::vector<std::string> differences;
  compare("Troupe", before.troupe_version(), now.troupe_version(), differences);
  compare("LibTorch", before.libtorch_version(), now.libtorch_version(), differences);
  compare("BLAS", before.blas(), now.blas(), differences);
  compare("CPU capability", before.cpu_capability(), now.cpu_capability(), differences);
  compare("intra-op threads", std::to_string(before.intra_op_threads()), std::to_string(now.intra_op_threads()),
          differences);
  compare("devices", devices_text(before), devices_text(now), differences);
  compare("world size", std::to_string(before.world_size()), std::to_string(now.world_size()), differences);
  return differences;
}

}  // namespace troupe
