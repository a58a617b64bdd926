// Collects the metrics of every validation in an observer, and reads them when the fit is over.
//
//   build/release/bin/metrics_logger
//
// prints a line for each of the 4 validations, "epoch 0 val_loss 1.21 val_mae 0.84".
#include <iostream>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

/// An observer: its hook runs on another thread, in the order of the events, and training does not wait for it. It
/// keeps what it saw to itself; the handle that Trainer::add gave gets at it.
struct MetricsLogger {
  void on(const troupe::ValidationEnded& /*event*/, const troupe::RunState& run) {
    if (!run.sanity_checking()) {
      history.push_back(run.metrics());
    }
  }

  std::vector<troupe::MetricMap> history;
};

void train(troupe::TrainerOptions options) {
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  const auto logger = trainer.add(MetricsLogger{});
  trainer.fit(net, data);  // Returns when every observer has seen every event.

  const auto& history = logger.get().history;
  for (size_t epoch = 0; epoch < history.size(); ++epoch) {
    std::cout << "epoch " << epoch << " val_loss " << history[epoch].at("val_loss") << " val_mae "
              << history[epoch].at("val_mae") << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
