#include "troupe/runtime/interchange/checkpoint_export.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/checkpoint/checkpoint_scan.h"
#include "troupe/runtime/interchange/npz_file.h"
#include "troupe/runtime/interchange/safetensors_file.h"
#include "troupe/runtime/interchange/torch_file.h"

namespace troupe {
namespace {

/// Which tensors of a checkpoint are exported, and under which names.
struct Selection {
  std::vector<v1::TensorInfo> tensors;
  std::vector<std::optional<size_t>> places;  ///< By index in the checkpoint: the index in `tensors`.
};

Selection select(const v1::CheckpointHeader& header, ExportedTensors what) {
  Selection selection;
  for (const auto& info : header.tensors()) {
    if (what == ExportedTensors::kWeights && !is_module_tensor(info.name())) {
      selection.places.emplace_back();
      continue;
    }
    selection.places.emplace_back(selection.tensors.size());
    selection.tensors.push_back(info);
    if (what == ExportedTensors::kWeights) {
      selection.tensors.back().set_name(without_module_prefix(info.name()));
    }
  }
  return selection;
}

/// What a reader of a safetensors file is told. "format" is the name of the framework by which its readers know whose
/// shapes and names these are.
std::map<std::string, std::string> metadata(const v1::CheckpointHeader& header) {
  return {{"format", "pt"},
          {"troupe.run_id", header.run_id()},
          {"troupe.seq", std::to_string(header.seq())},
          {"troupe.global_step", std::to_string(header.position().global_step())}};
}

std::unique_ptr<TensorFileWriter> make_writer(WholeFile& file, const std::vector<v1::TensorInfo>& tensors,
                                              const v1::CheckpointHeader& header, ExportFormat format) {
  switch (format) {
    case ExportFormat::kSafetensors:
      break;
    case ExportFormat::kTorch:
      return make_torch_writer(file, tensors);
    case ExportFormat::kNpz:
      return make_npz_writer(file, tensors);
  }
  return make_safetensors_writer(file, tensors, metadata(header));
}

}  // namespace

Exported export_checkpoint(const std::filesystem::path& checkpoint, const std::filesystem::path& output,
                           const ExportOptions& options) {
  CheckpointScan scan(checkpoint);
  scan.next();
  const auto [tensors, places] = select(scan.header(), options.what);
  if (tensors.empty()) {
    throw ConfigError("export " + checkpoint.string() + ": it has no tensor" +
                      (options.what == ExportedTensors::kWeights ? " of a module" : "") + " to export");
  }
  require_other_file(output, checkpoint);
  WholeFile file(output, options.existing);
  const auto writer = make_writer(file, tensors, scan.header(), options.format);
  Exported exported{tensors.size(), 0};
  while (scan.next()) {
    if (scan.record_case() != v1::CheckpointRecord::kChunk || !places[scan.chunk().tensor]) {
      continue;
    }
    const ChunkView& chunk = scan.chunk();
    writer->write(*places[chunk.tensor], chunk.offset, chunk.data);
    exported.tensor_bytes += chunk.data.size();
  }
  writer->finish();
  file.commit();
  return exported;
}

}  // namespace troupe
