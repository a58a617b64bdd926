#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <string>

namespace troupe {

/// Copies the averaged parameters and buffers that an averaging callback had when a checkpoint was taken into the
/// module, in place: those that its validations ran on. `state_key`: the callback's, by default its class's name
/// ("StochasticWeightAveraging" for the other one). Throws ConfigError when the checkpoint has no such callback, or its
/// average had not begun; MismatchError when it is of another model; both before anything is changed; and as
/// read_checkpoint.
void load_averaged_weights(torch::nn::Module& module, const std::filesystem::path& checkpoint,
                           const std::string& state_key = "EMAWeightAveraging");

}  // namespace troupe
