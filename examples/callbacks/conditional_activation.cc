// A callback that acts only when a condition holds: from epoch 1 on, and while the validation loss is small enough.
//
//   build/release/bin/conditional_activation
//
// prints "good epoch 4: val_loss 0.385" for each epoch that qualifies; the same is in the log as a UserEvent.
#include <iostream>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

/// Emits an event of its own. Conditions on when to be asked at all (steps, epochs, time, sanity check) belong into
/// ask_when(), which costs nothing where it says no; conditions on metrics are an `if` on the RunState.
class GoodEpochs {
 public:
  GoodEpochs(uint32_t from_epoch, double below) : from_epoch_(from_epoch), below_(below) {}

  std::vector<troupe::AskWhen> ask_when() const {
    return {troupe::ask_when<troupe::ValidationEnded>({.sanity_checking = false})};
  }

  void on(const troupe::ValidationEnded& /*event*/, troupe::Control& control) {
    const auto& run = control.run();
    const auto loss = run.metric("val_loss");
    if (run.epoch() >= from_epoch_ && loss && *loss < below_) {
      control.emit(troupe::make_user_event("good_epoch", {{"epoch", int64_t{run.epoch()}}, {"val_loss", *loss}}));
    }
  }

 private:
  uint32_t from_epoch_;
  double below_;
};

void train(troupe::TrainerOptions options) {
  options.max_epochs = 6;
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(GoodEpochs(1, 0.4));
  trainer.on<troupe::UserEvent>("say", [](const troupe::UserEvent& event) {
    const auto values = troupe::event_values(event);
    std::cout << "good epoch " << std::get<int64_t>(values.at("epoch")) << ": val_loss "
              << std::get<double>(values.at("val_loss")) << '\n';
  });
  const auto result = trainer.fit(net, data);
  std::cout << "run_dir " << result.run_dir << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
