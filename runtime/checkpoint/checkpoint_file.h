#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/file/damage.h"
#include "troupe/runtime/state/tensor_buffer.h"
#include "troupe/runtime/state/tensor_view.h"

namespace troupe {

/// What this version writes, and the only one it reads.
inline constexpr uint32_t kCheckpointFormatVersion = 1;

/// Largest piece of a tensor in one record: 16 MiB.
inline constexpr uint64_t kChunkBytesMax = 16U << 20;

/// What a checkpoint is made of. The writer fills in header.format_version and header.tensors. Of the small state the
/// writer makes one serialised copy, a record at a time.
struct CheckpointParts {
  v1::CheckpointHeader header;
  std::vector<TensorView> tensors;
  v1::TrainingState training_state;                ///< Left out when header.weights_only.
  std::vector<v1::CallbackState> callback_states;  ///< Left out when header.weights_only.
  v1::RunState run_state;
};

struct CheckpointWritten {
  uint64_t bytes;   ///< Of the file.
  uint32_t digest;  ///< As in its footer.
};

/// Writes a checkpoint so that `path` is never anything but a whole one: into "<path>.tmp-<pid>", synced; then
/// `before_rename` is called (there the caller makes the log durable up to the capture); then renamed, and the name
/// synced. The folder is made if missing, an existing file is replaced. On failure the exception passes on, the
/// temporary file is removed and what was at `path` stays, unless all that failed is the sync of the new name. Throws
/// ConfigError for what could not be read back: a text that is not UTF-8, a record (but for tensors) beyond 2 GiB.
CheckpointWritten write_checkpoint(const std::filesystem::path& path, const CheckpointParts& parts,
                                   const std::function<void()>& before_rename = nullptr);

/// Removes what writers that were killed left in `folder` and below: files named "*.tmp-<number>". The caller holds the
/// run's lock. Returns how many.
size_t remove_stale_temporaries(const std::filesystem::path& folder);

struct CheckpointData {
  v1::CheckpointHeader header;
  std::vector<TensorBuffer> tensors;  ///< As in header.tensors.
  std::optional<v1::TrainingState> training_state;
  std::vector<v1::CallbackState> callback_states;
  v1::RunState run_state;
};

/// Reads a whole checkpoint and checks all of it before it returns: frames, order, coverage of every tensor, counts and
/// digest, and that nothing follows. Throws DamageError at the first thing that is wrong, CorruptionError for a format
/// version that this version does not read, ForeignFileError (foreign_file.h) for what is no checkpoint at all, IoError
/// when the file cannot be read.
CheckpointData read_checkpoint(const std::filesystem::path& path);

/// The first record alone; nothing else is checked. Throws as read_checkpoint.
v1::CheckpointHeader read_checkpoint_header(const std::filesystem::path& path);

struct CheckpointReport {
  uint64_t bytes = 0;    ///< Of the file.
  uint64_t records = 0;  ///< Read before the damage, or all.
  uint64_t tensors = 0;
  uint64_t tensor_bytes = 0;
  uint32_t digest = 0;  ///< Of the records read.
  std::optional<Damage> damage;

  bool sound() const { return !damage.has_value(); }
};

/// Checks what read_checkpoint checks, in the memory of one record. Throws IoError when the file cannot be read, and
/// ForeignFileError for what is no checkpoint at all.
CheckpointReport verify_checkpoint(const std::filesystem::path& path);

}  // namespace troupe
