// Saves what a model predicts as a NumPy array.
//
//   build/release/bin/prediction_saver
//
// trains, predicts 64 samples, and prints where predictions.npy lies, an array of shape (64, 1) for numpy.load.
#include <torch/torch.h>

#include <iostream>

#include <troupe/actors/trainer.h>
#include <troupe/runtime/interchange/npy_file.h>
#include <troupe/runtime/module/step_outputs.h>
#include "examples/callbacks/toy.h"

namespace {

class PredictionSaver {
 public:
  /// Tensors are not in the log, so a restart could not give them back: the first failure is the last.
  static constexpr troupe::CallbackPolicy kPolicy{.max_restarts = 0};

  void set_run_directory(const std::filesystem::path& run_directory) {
    path_ = run_directory / "predictions.npy";
    batches_.clear();
  }

  /// StepOutputs has the tensors of the batch that ended. They are shared, not copied: to keep one is cheap.
  void on(const troupe::PredictBatchEnded& /*event*/, const troupe::StepOutputs& outputs) {
    batches_.push_back(outputs.prediction);
  }

  void on(const troupe::PredictEnded& /*event*/) {
    const auto all = torch::cat(batches_).to(torch::kCPU, torch::kFloat).contiguous();
    const std::span<const float> elements(all.data_ptr<float>(), static_cast<size_t>(all.numel()));
    troupe::write_npy(path_, elements, all.sizes());
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<at::Tensor> batches_;
};

void train(troupe::TrainerOptions options) {
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  const auto saver = trainer.add(PredictionSaver());
  trainer.fit(net, data);
  trainer.predict(net, data);
  std::cout << "saved " << saver.get().path().string() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
