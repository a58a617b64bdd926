// Trains a classifier of points on the arms of a spiral. Make it yours: spirals.h is the data, classifier.h the model.
//
//   starter fit --run-dir runs/first               train
//   starter test --run-dir runs/first --resume best
//   starter fit --help                             every option
#include <iostream>

#include "classifier.h"

namespace {

// begin callback
struct AnnouncerOptions {
  std::string monitor = "val_acc";

  void describe(troupe::OptionVisitor& visit) { visit("monitor", monitor, "Metric to announce; larger is better."); }
};

/// Says after a validation that it was the best so far. An observer: it runs on another thread, and training goes on.
class Announcer {
 public:
  explicit Announcer(AnnouncerOptions options = {}) : options_(std::move(options)) {}

  void on(const troupe::ValidationEnded&, const troupe::RunState& run) {
    const auto value = run.metric(options_.monitor);
    if (!run.sanity_checking() && value && *value > best_) {
      best_ = *value;
      std::cout << "best so far: " << options_.monitor << ' ' << best_ << " in epoch " << run.epoch() << '\n';
    }
  }

  // What a resumed run needs to go on announcing where the other one was.
  troupe::StateDict state_dict() const {
    troupe::StateDict state;
    state.set("best", best_);
    return state;
  }
  void load_state_dict(const troupe::StateDict& state) { best_ = state.get_double("best"); }

 private:
  AnnouncerOptions options_;
  double best_ = 0;
};
// end callback

}  // namespace

// begin main
int main(int argc, char** argv) {
  ModelOptions model;
  DataOptions data;
  troupe::Experiment experiment("starter", "Tells the arms of a spiral apart.");
  experiment.trainer.max_epochs = 30;
  experiment.add_options("model", model);
  experiment.add_options("data", data);
  experiment.module = [&] { return std::make_shared<Classifier>(model); };
  experiment.data = [&] { return std::make_shared<SpiralData>(data, experiment.trainer.seed); };
  experiment.registry.register_callback<Announcer, AnnouncerOptions>("Announcer");
  experiment.add_callback("Announcer");
  experiment.add_callback("ModelCheckpoint",
                          troupe::ModelCheckpointOptions{
                              .filename = "best", .mode = troupe::Mode::kMax, .monitor = "val_acc", .save_last = true});
  experiment.add_callback("EarlyStopping", troupe::EarlyStoppingOptions{.monitor = "val_loss", .patience = 10});
  experiment.add_callback("CSVLogger");
  return troupe::run(argc, argv, experiment);
}
// end main
