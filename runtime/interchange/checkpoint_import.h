#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "troupe/runtime/file/whole_file.h"

namespace troupe {

struct Imported {
  std::string format;  ///< As WeightsFile::format.
  uint64_t tensors = 0;
  uint64_t tensor_bytes = 0;
};

/// Makes a checkpoint of weights only out of a safetensors file, a state_dict that torch.save wrote, or an npz file:
/// its header says weights_only and imported_from (of a name that is no UTF-8, what is printable); it has no run.
/// Tensors keep names, types and shapes. Memory: as WeightsFile, and the buffers of the system. Throws CorruptionError
/// and IoError as WeightsFile, ConfigError for a file that is a checkpoint, or an output that is there or is the file
/// itself.
Imported import_checkpoint(const std::filesystem::path& file, const std::filesystem::path& checkpoint,
                           Existing existing);

}  // namespace troupe
