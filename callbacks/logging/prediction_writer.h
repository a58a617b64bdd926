#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

enum class PredictionFormat {
  kNpz,    ///< What numpy.load reads.
  kTorch,  ///< What torch.load reads, with weights_only=True too.
};

template <>
struct EnumNames<PredictionFormat> {
  static constexpr std::array<std::pair<PredictionFormat, std::string_view>, 2> kNames{
      {{PredictionFormat::kNpz, "npz"}, {PredictionFormat::kTorch, "torch"}}};
};

enum class WriteInterval { kBatch, kEpoch, kBatchAndEpoch };

template <>
struct EnumNames<WriteInterval> {
  static constexpr std::array<std::pair<WriteInterval, std::string_view>, 3> kNames{
      {{WriteInterval::kBatch, "batch"},
       {WriteInterval::kEpoch, "epoch"},
       {WriteInterval::kBatchAndEpoch, "batch_and_epoch"}}};
};

struct PredictionWriterOptions {
  std::string dirpath = "predictions";                   ///< Relative to the run directory, or absolute.
  PredictionFormat format = PredictionFormat::kNpz;      ///< Of the files.
  WriteInterval write_interval = WriteInterval::kBatch;  ///< A file for each batch, one at the end, or both.

  void describe(OptionVisitor& visit);
};

/// Writes what predict_step gives to files, in a predict:
///
///   <dirpath>/dataloader_<i>/batch_<n>.npz   after each batch (n counts from 0 within its loader): the tensor
///                                            "prediction"
///   <dirpath>/predictions.npz                at the end: for each loader "dataloader_<i>", its batches one after the
///                                            other along the first dimension
///
/// or ".pt" with the format torch, which is a dict of these tensors. Files appear whole, and replace what was there.
/// With `epoch` the predictions stay in memory until the end. Batches for which predict_step gives nothing are left
/// out; a single number a batch is an array of one element.
///
/// It is a Live hook, so that no prediction is dropped when the disk is slow: the loop waits for each file.
class PredictionWriter {
 public:
  /// Throws ConfigError for an empty `dirpath`.
  explicit PredictionWriter(PredictionWriterOptions options = {});

  /// Where relative paths start. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }
  /// Before a predict: makes the folder. Throws IoError when nothing can be written there.
  void prepare_files(Stage stage) const;

  void on(const PredictStarted& event, Live& live);
  /// These throw IoError, and ConfigError for a prediction whose type the format does not have, or that does not fit to
  /// the batches before it.
  void on(const PredictBatchEnded& event, Live& live);
  void on(const PredictEpochEnded& event, Live& live);

 private:
  bool writes_batches() const { return options_.write_interval != WriteInterval::kEpoch; }
  bool writes_epoch() const { return options_.write_interval != WriteInterval::kBatch; }
  void keep(uint32_t dataloader, const at::Tensor& prediction);
  /// Writes a file of this name, without extension, below `dirpath`.
  void write(const std::string& name, const std::vector<NamedTensor>& tensors) const;

  PredictionWriterOptions options_;
  std::filesystem::path run_directory_;
  std::map<uint32_t, std::vector<at::Tensor>> kept_;  // By loader; only with `epoch`.
};

}  // namespace troupe
