// A run with every kind of value that TensorBoard shows, gone on with from an early checkpoint: what
// check_tensorboard.py looks at. It knows the formulas that are here.
//
// Usage: logged_run RUN_DIR
#include <torch/torch.h>

#include <iostream>
#include <memory>
#include <utility>

#include "tests/support/noisy_trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"

using namespace troupe;

namespace {

/// An observer that measures.
class Gauge {
 public:
  void set_outbox(std::shared_ptr<Outbox> outbox) { outbox_ = std::move(outbox); }
  void on(const TrainEpochStarted& /*event*/, const RunState& run) {
    v1::Measured measured;
    auto* metric = measured.add_metrics();
    metric->set_name("gauge");
    metric->set_value(run.epoch() + 0.5);
    outbox_->emit(make_user_event(measured));
  }

 private:
  std::shared_ptr<Outbox> outbox_;
};

/// Channels x height x width, every element another one.
at::Tensor picture(int64_t epoch) {
  return (torch::arange(3 * 4 * 5) * 3 + epoch).to(torch::kByte).reshape({3, 4, 5});
}

void log_media(Module& module) {
  const int64_t epoch = module.current_epoch();
  module.log_histogram("values", torch::arange(101) * (epoch + 1), 10);
  module.log_image("bytes", picture(epoch));
  module.log_image("floats", picture(epoch).to(torch::kFloat) / 255);
  module.log_text("note", "epoch " + std::to_string(epoch));
}

void train(const std::string& run_dir, int64_t epochs, const std::string& resume) {
  NoisyModule module(epochs * kNoisyTrainBatches);
  NoisyData data;
  Trainer trainer(noisy_options(run_dir, epochs));
  ModelCheckpointOptions every_epoch;
  every_epoch.filename = "{epoch}";
  every_epoch.save_on_train_epoch_end = true;
  every_epoch.save_top_k = -1;
  trainer.add(ModelCheckpoint(every_epoch));
  trainer.add(TensorBoardLogger());
  trainer.add(JSONLogger());
  trainer.add(Gauge());
  module.on_training_step = [&](int64_t batch_index) {
    if (batch_index == 0) {
      log_media(module);
    }
  };
  trainer.fit(module, data, resume);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: logged_run RUN_DIR\n";
    return 2;
  }
  const std::string run_dir = argv[1];
  train(run_dir, 2, "");
  train(run_dir, 3, run_dir + "/checkpoints/epoch=0.ckpt");
  return 0;
}
