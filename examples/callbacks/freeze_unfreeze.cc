// Fine-tuning: the backbone stays as it is for 2 epochs, while the head learns; then all of the network is trained.
//
//   build/release/bin/freeze_unfreeze
//
// prints at the end of each of the 4 epochs how large the weights are, "epoch 0 backbone 1.561 head 0.615": the
// backbone's change only from epoch 2 on.
#include <iomanip>
#include <iostream>

#include <troupe/actors/trainer.h>
#include <troupe/runtime/loop/live.h>
#include "examples/callbacks/toy.h"

namespace {

/// Freezing is a command, so it is in the log, is kept by checkpoints, and can be refused: a name that is not in the
/// model shows up as a CommandRefused.
class FreezeUntilEpoch {
 public:
  FreezeUntilEpoch(std::string part, uint32_t epoch) : part_(std::move(part)), epoch_(epoch) {}

  void on(const troupe::FitStarted& /*event*/, troupe::Control& control) { control.freeze({part_}); }

  void on(const troupe::TrainEpochStarted& /*event*/, troupe::Control& control) {
    if (control.run().epoch() == epoch_) {
      control.unfreeze({part_});
    }
  }

 private:
  std::string part_;
  uint32_t epoch_;
};

/// Looks at the weights themselves, as only a Live hook may while a fit is on.
struct WeightPrinter {
  void on(const troupe::TrainEpochEnded& /*event*/, troupe::Live& live) {
    const auto parameters = live.module().named_parameters();
    std::cout << std::setprecision(9) << "epoch " << live.run().epoch() << " backbone "
              << parameters["backbone.weight"].norm().item<float>() << " head "
              << parameters["head.weight"].norm().item<float>() << '\n';
  }
};

void train(troupe::TrainerOptions options) {
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(FreezeUntilEpoch("backbone", 2));
  trainer.add(WeightPrinter{});
  trainer.fit(net, data);
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
