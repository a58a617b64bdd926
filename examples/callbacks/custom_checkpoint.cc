// Saves a checkpoint at the end of every second epoch, under names of its own.
//
//   build/release/bin/custom_checkpoint
//
// prints the path of each of the 3 checkpoints of 6 epochs when it is safely on disk.
// build/release/bin/troupe checkpoint show PATH looks into one.
#include <iostream>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

/// A controller: it takes Control&, and what it commands is done at this very point of the training. The state is
/// copied here; the file is written beside the training.
class CheckpointEveryEpochs {
 public:
  explicit CheckpointEveryEpochs(int64_t epochs) : epochs_(epochs) {}

  /// The loop looks at this and does not ask in other epochs.
  std::vector<troupe::AskWhen> ask_when() const {
    return {troupe::ask_when<troupe::TrainEpochEnded>({.every_n_epochs = epochs_})};
  }

  void on(const troupe::TrainEpochEnded& /*event*/, troupe::Control& control) {
    troupe::v1::SaveCheckpoint what;
    what.set_path("checkpoints/after-" + std::to_string(control.run().epochs_completed()) + "-epochs.ckpt");
    control.save_checkpoint(what);
  }

 private:
  int64_t epochs_;
};

void train(troupe::TrainerOptions options) {
  options.max_epochs = 6;
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(CheckpointEveryEpochs(2));
  trainer.on<troupe::CheckpointSaved>(
      "say", [](const troupe::CheckpointSaved& event) { std::cout << "saved " + event.path() + '\n'; });
  const auto result = trainer.fit(net, data);
  std::cout << "run_dir " << result.run_dir << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
