#pragma once

#include <troupe/v1/event.pb.h>

#include <string>
#include <vector>

namespace torch::nn {
class Module;
}  // namespace torch::nn

namespace troupe {

/// What the determinism contract depends on, as it is in this process, with the devices that the module is on.
v1::Environment current_environment(const torch::nn::Module& module);

/// The same of a module that will be moved to `device`, unless that is empty. Throws as find_device.
v1::Environment expected_environment(const torch::nn::Module& module, const std::string& device);

/// What differs between two of them, one line each; hosts do not count.
std::vector<std::string> environment_differences(const v1::Environment& before, const v1::Environment& now);

}  // namespace troupe
