// Trains in stages, each with a learning rate of its own.
//
//   build/release/bin/multi_stage_lr
//
// prints the rate in force at the end of each of 6 epochs: 0.1 0.1 0.1 0.01 0.01 0.001.
#include <iostream>
#include <map>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

class MultiStageLr {
 public:
  /// Epoch from which on a rate is in force, counted from 0, to the rate.
  explicit MultiStageLr(std::map<uint32_t, double> stages) : stages_(std::move(stages)) {}

  /// The rate stays until the next command: a checkpoint keeps it, and a resumed run goes on with it.
  void on(const troupe::TrainEpochStarted& /*event*/, troupe::Control& control) {
    if (const auto stage = stages_.find(control.run().epoch()); stage != stages_.end()) {
      control.set_learning_rate(stage->second);
    }
  }

 private:
  std::map<uint32_t, double> stages_;
};

void train(troupe::TrainerOptions options) {
  options.max_epochs = 6;
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(MultiStageLr({{0, 0.1}, {3, 0.01}, {5, 0.001}}));
  trainer.on<troupe::TrainEpochEnded>("say", [](const troupe::TrainEpochEnded&, const troupe::RunState& run) {
    std::cout << "epoch " << run.epoch() << " lr " << run.learning_rates().front().value() << '\n';
  });
  const auto result = trainer.fit(net, data);
  std::cout << "run_dir " << result.run_dir << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
