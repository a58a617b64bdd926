#pragma once

#include <cstdint>
#include <filesystem>

#include "troupe/runtime/file/whole_file.h"

namespace troupe {

enum class ExportFormat {
  kSafetensors,
  kTorch,  ///< What torch.load(weights_only=True) reads: an OrderedDict of tensors.
  kNpz,    ///< NumPy's; has no bfloat16.
};

enum class ExportedTensors {
  kWeights,  ///< The module's parameters and buffers, by the module's names.
  kAll,      ///< All tensors of the checkpoint, by the checkpoint's names: "module.weight", "rng.cpu".
};

struct ExportOptions {
  Existing existing = Existing::kRefuse;
  ExportFormat format = ExportFormat::kSafetensors;
  ExportedTensors what = ExportedTensors::kWeights;
};

struct Exported {
  uint64_t tensors = 0;
  uint64_t tensor_bytes = 0;
};

/// Copies tensors of a checkpoint to a file of another format, in the memory of one record. `output` becomes a file
/// only after all of the checkpoint has been checked. Throws DamageError and CorruptionError as read_checkpoint,
/// ConfigError for a tensor that the format cannot hold, an output that is there or is the checkpoint itself, or no
/// tensor to export, and IoError.
Exported export_checkpoint(const std::filesystem::path& checkpoint, const std::filesystem::path& output,
                           const ExportOptions& options);

}  // namespace troupe
