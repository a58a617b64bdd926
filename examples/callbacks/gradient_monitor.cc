// Logs the norm of every parameter's gradient after each backward pass, from a Live hook.
//
//   build/release/bin/gradient_monitor
//
// prints the norms of the last step, "grad_norm/head.weight 1.68", and writes all of them to the run's log:
// build/release/bin/troupe log show RUN.
#include <iostream>

#include <troupe/actors/trainer.h>
#include <troupe/runtime/loop/live.h>
#include "examples/callbacks/toy.h"

namespace {

/// A Live hook runs on the training thread with the module in its hands, so the gradients are those of this very step.
/// What it logs becomes part of the RunState: other callbacks can monitor it like any metric of the module.
struct GradientMonitor {
  void on(const troupe::BackwardEnded& /*event*/, troupe::Live& live) {
    for (const auto& [parameter, norm] : live.gradient_norms()) {
      live.control().log("grad_norm/" + parameter, norm);
    }
  }
};

void train(troupe::TrainerOptions options) {
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(GradientMonitor{});
  const auto result = trainer.fit(net, data);

  for (const auto& [name, value] : result.state.metrics()) {
    if (name.starts_with("grad_norm/")) {
      std::cout << name << ' ' << value << '\n';
    }
  }
  std::cout << "run_dir " << result.run_dir << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
