#include "troupe/callbacks/logging/prediction_writer.h"

#include <torch/torch.h>

#include <memory>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/file/whole_file.h"
#include "troupe/runtime/interchange/npz_file.h"
#include "troupe/runtime/interchange/torch_file.h"
#include "troupe/runtime/module/tensor_bytes.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

std::string loader_name(uint32_t dataloader) {
  return "dataloader_" + std::to_string(dataloader);
}

/// As files hold it.
at::Tensor stored_prediction(const at::Tensor& prediction) {
  const at::Tensor here = prediction.detach().to(at::kCPU).contiguous();
  return here.dim() == 0 ? here.unsqueeze(0) : here;
}

/// Whether both can be parts of one array.
bool fits_to(const at::Tensor& first, const at::Tensor& next) {
  return first.scalar_type() == next.scalar_type() && first.dim() == next.dim() &&
         first.sizes().slice(1) == next.sizes().slice(1);
}

v1::TensorInfo info_of(const TensorView& view) {
  v1::TensorInfo info;
  info.set_name(view.name);
  info.set_dtype(view.dtype);
  info.mutable_shape()->Assign(view.shape.begin(), view.shape.end());
  info.set_bytes(view.bytes.size());
  return info;
}

}  // namespace

void PredictionWriterOptions::describe(OptionVisitor& visit) {
  visit("dirpath", dirpath, "Folder of the files; relative to the run directory.").required();
  visit("format", format, "For numpy.load (npz) or for torch.load (torch).");
  visit("write_interval", write_interval, "A file for each batch, one of all at the end, or both.");
}

PredictionWriter::PredictionWriter(PredictionWriterOptions options) : options_(std::move(options)) {
  check_options("PredictionWriter", options_);
}

void PredictionWriter::prepare_files(Stage stage) const {
  if (stage == v1::STAGE_PREDICT) {
    require_writable_folder(run_directory_ / options_.dirpath);
  }
}

void PredictionWriter::on(const PredictStarted& /*event*/, Live& /*live*/) {
  kept_.clear();
}

void PredictionWriter::on(const PredictBatchEnded& /*event*/, Live& live) {
  if (live.outputs() == nullptr || !live.outputs()->prediction.defined()) {
    return;
  }
  const Position& position = live.run().position();
  const at::Tensor prediction = stored_prediction(live.outputs()->prediction);
  if (writes_batches()) {
    write(loader_name(position.dataloader_index()) + "/batch_" + std::to_string(position.batch_index()),
          {{"prediction", prediction}});
  }
  if (writes_epoch()) {
    keep(position.dataloader_index(), prediction);
  }
}

void PredictionWriter::keep(uint32_t dataloader, const at::Tensor& prediction) {
  auto& batches = kept_[dataloader];
  if (!batches.empty() && !fits_to(batches.front(), prediction)) {
    throw ConfigError("PredictionWriter: the prediction of batch " + std::to_string(batches.size()) + " of " +
                      loader_name(dataloader) + " has the shape " + shape_text(prediction.sizes()) + " and type " +
                      c10::toString(prediction.scalar_type()) + ", the first one " +
                      shape_text(batches.front().sizes()) + " and " + c10::toString(batches.front().scalar_type()) +
                      ": they are no parts of one array; write_interval 'batch' writes each by itself");
  }
  batches.push_back(prediction);
}

void PredictionWriter::on(const PredictEpochEnded& /*event*/, Live& /*live*/) {
  if (!writes_epoch()) {
    return;
  }
  std::vector<NamedTensor> tensors;
  for (const auto& [dataloader, batches] : kept_) {
    tensors.push_back({loader_name(dataloader), torch::cat(batches)});
  }
  write("predictions", tensors);
  kept_.clear();
}

void PredictionWriter::write(const std::string& name, const std::vector<NamedTensor>& tensors) const {
  std::vector<TensorView> views;
  std::vector<v1::TensorInfo> infos;
  for (const auto& named : tensors) {
    views.push_back(view_tensor(named));
    infos.push_back(info_of(views.back()));
  }
  const bool is_npz = options_.format == PredictionFormat::kNpz;
  WholeFile file(run_directory_ / options_.dirpath / (name + (is_npz ? ".npz" : ".pt")), Existing::kReplace);
  const auto writer = is_npz ? make_npz_writer(file, infos) : make_torch_writer(file, infos);
  for (size_t i = 0; i < views.size(); ++i) {
    writer->write(i, 0, views[i].bytes);
  }
  writer->finish();
  file.commit();
}

}  // namespace troupe
