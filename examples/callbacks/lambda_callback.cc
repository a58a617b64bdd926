// Callbacks without a class: Trainer::on takes any function. Its second parameter says what it is, as in a class.
//
//   build/release/bin/lambda_callback
//
// prints the number of parameters, the loss of each epoch, and that the run stopped when the loss was small enough.
#include <iostream>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

void train(troupe::TrainerOptions options) {
  options.max_epochs = 100;
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));

  // An observer of the event alone. Each has a name: it is its state key in events and errors.
  trainer.on<troupe::FitStarted>(
      "size", [](const troupe::FitStarted& fit) { std::cout << "parameters " << fit.modules(0).parameters() << '\n'; });
  // An observer with the state of the run. A lambda may keep what it needs between calls.
  trainer.on<troupe::TrainEpochEnded>(
      "loss", [best = 1e9](const troupe::TrainEpochEnded&, const troupe::RunState& run) mutable {
        const double loss = run.metrics().at("val_loss");
        std::cout << "epoch " << run.epoch() << " val_loss " << loss << (loss < best ? " best\n" : "\n");
        best = std::min(best, loss);
      });
  // A controller.
  trainer.on<troupe::ValidationEnded>("good_enough", [](const troupe::ValidationEnded&, troupe::Control& control) {
    if (!control.run().sanity_checking() && control.run().metrics().at("val_loss") < 0.25) {
      control.stop("val_loss is below 0.25");
    }
  });

  const auto result = trainer.fit(net, data);
  std::cout << "stopped by " << result.stopped_by << ": " << result.stop_reason << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
