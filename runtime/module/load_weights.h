#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

struct LoadWeightsOptions {
  /// Convert elements of another type, as torch's copy_ does, instead of counting the tensor as mismatched.
  bool convert_dtypes = false;
  /// Names in the file that begin with this are taken, without it, and all others are left: "backbone." loads a part of
  /// another model, "model." what Lightning saved of a module's member. Empty: all names.
  std::string prefix = {};
  /// Throw unless each parameter and buffer finds its tensor, and each tensor taken its parameter or buffer.
  bool strict = true;
};

/// Names as the module has them, in its order; `unexpected` in that of WeightsFile.
struct LoadedWeights {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     ///< In the module only.
  std::vector<std::string> unexpected;  ///< In the file only, as far as its prefix is asked for.
  std::vector<std::string> mismatched;  ///< Of another shape or dtype, with both in parentheses; left as they were.

  bool complete() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  /// "missing in the file: a, b; not in the module: c; ...", every name, printable; empty if complete.
  std::string text() const;
};

/// Copies weights from a file into the module's parameters and buffers by name, in place: from a checkpoint of Troupe,
/// or from a file of safetensors, torch.save or NumPy (WeightsFile). Gradients, optimizers and everything else stay.
/// Throws MismatchError with all names when strict and not complete, or when nothing at all would be loaded, before
/// anything is changed; CorruptionError and IoError as WeightsFile.
LoadedWeights load_weights(torch::nn::Module& module, const std::filesystem::path& file,
                           const LoadWeightsOptions& options = {});

}  // namespace troupe
