#include <algorithm>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/checkpoint/checkpoint_scan.h"
#include "troupe/runtime/checkpoint/foreign_file.h"

namespace troupe {
namespace {

void take_record(CheckpointScan& scan, CheckpointData& data) {
  auto& record = scan.record();
  switch (scan.record_case()) {
    case v1::CheckpointRecord::kHeader:
      data.header = scan.header();
      data.tensors.reserve(static_cast<size_t>(data.header.tensors_size()));
      for (const auto& info : data.header.tensors()) {
        data.tensors.emplace_back(info.bytes());
      }
      break;
    case v1::CheckpointRecord::kChunk: {
      const ChunkView& chunk = scan.chunk();
      std::copy(chunk.data.begin(), chunk.data.end(), data.tensors[chunk.tensor].data() + chunk.offset);
      break;
    }
    case v1::CheckpointRecord::kTrainingState:
      data.training_state = std::move(*record.mutable_training_state());
      break;
    case v1::CheckpointRecord::kCallbackState:
      data.callback_states.push_back(std::move(*record.mutable_callback_state()));
      break;
    case v1::CheckpointRecord::kRunState:
      data.run_state = std::move(*record.mutable_run_state());
      break;
    default:
      break;
  }
}

}  // namespace

CheckpointData read_checkpoint(const std::filesystem::path& path) {
  CheckpointData data;
  CheckpointScan scan(path);
  while (scan.next()) {
    take_record(scan, data);
  }
  return data;
}

v1::CheckpointHeader read_checkpoint_header(const std::filesystem::path& path) {
  CheckpointScan scan(path);
  scan.next();
  return scan.header();
}

CheckpointReport verify_checkpoint(const std::filesystem::path& path) {
  CheckpointReport report;
  report.bytes = File::open(path).size();
  CheckpointScan scan(path);
  try {
    while (scan.next()) {
    }
  } catch (const ForeignFileError&) {
    throw;
  } catch (const DamageError& error) {
    report.damage = error.damage();
  } catch (const CorruptionError& error) {
    report.damage = Damage{path, 0, 0, error.what()};
  }
  const bool with_footer = scan.record_case() == v1::CheckpointRecord::kFooter && report.sound();
  report.records = scan.records() + (with_footer ? 1 : 0);
  report.tensors = static_cast<uint64_t>(scan.header().tensors_size());
  report.tensor_bytes = scan.tensor_bytes();
  report.digest = scan.digest();
  return report;
}

}  // namespace troupe
