// Counts batches and samples over several runs of one training: its state travels in the checkpoints.
//
//   build/release/bin/stateful_counter
//
// trains 2 epochs, then resumes the run for 2 more, and prints what the counter said after each: 16 batches, then 32.
#include <iostream>

#include <troupe/actors/trainer.h>
#include "examples/callbacks/toy.h"

namespace {

struct Counter {
  void on(const troupe::TrainBatchEnded& event) {
    ++batches;
    samples += event.samples();
  }
  void on(const troupe::RunResumed& /*event*/) { batches_at_resume = batches; }

  /// Called exactly at the place of the checkpoint: every event before it has been delivered, none after it.
  troupe::StateDict state_dict() const {
    troupe::StateDict state;
    state.set("batches", batches);
    state.set("samples", samples);
    return state;
  }
  void load_state_dict(const troupe::StateDict& state) {
    batches = state.get_int("batches");
    samples = state.get_int("samples");
  }
  /// Under this name the state is found again, so it must stay the same when the class is renamed or moved.
  std::string state_key() const { return "counter"; }

  int64_t batches = 0;
  int64_t samples = 0;
  int64_t batches_at_resume = 0;
};

/// Trains up to `epochs` epochs in all; resumes the run in the options' run directory, or starts one.
std::string fit(troupe::TrainerOptions options, int64_t epochs, const std::string& resume) {
  options.max_epochs = epochs;
  options.enable_checkpointing = true;  // A ModelCheckpoint saves at the end of each epoch.
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  const auto counter = trainer.add(Counter());
  const auto result = trainer.fit(net, data, resume);
  std::cout << "started at " << counter.get().batches_at_resume << " batches, ended at " << counter.get().batches
            << " batches, " << counter.get().samples << " samples\n";
  return result.run_dir;
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, [](const troupe::TrainerOptions& options) {
    const std::string run_dir = fit(options, 2, "");
    fit(options, 4, run_dir);  // A new Trainer and a new Counter, as in another process.
  });
}
