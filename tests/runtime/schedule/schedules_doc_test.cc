// The examples of docs/schedules.md: docs_test holds the page to them.
#include <doctest/doctest.h>

#include "tests/support/small_fit.h"

using namespace troupe;

namespace {

// begin warm-up
std::vector<OptimizerConfig> warm_up_and_anneal(Module& module) {
  return {{.interval = OptimizerConfig::Interval::kStep,
           .lr_schedule = lr_schedule::linear_warmup(500, 0.01, lr_schedule::cosine(9'500, 3e-6)),
           .optimizer = std::make_shared<torch::optim::AdamW>(module.parameters(), torch::optim::AdamWOptions(3e-4))}};
}
// end warm-up

// begin one cycle
std::vector<OptimizerConfig> one_cycle(Module& module, int64_t total_steps) {
  const auto optimizer =
      std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  return {{.interval = OptimizerConfig::Interval::kStep,
           .lr_schedule = lr_schedule::one_cycle({.max_lr = 0.4, .total_steps = total_steps}),
           .optimizer = optimizer}};
}
// end one cycle

// begin plateau
std::vector<OptimizerConfig> reduce_on_plateau(Module& module) {
  return {{.optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.1)),
           .plateau = PlateauOptions{.factor = 0.5, .min_lr = 1e-5, .monitor = "val_loss", .patience = 3}}};
}
// end plateau

double last_rate(const std::function<std::vector<OptimizerConfig>(Module&)>& configure) {
  SmallFit fit(small_options(), [&](SmallModule& module) { return configure(module).front(); });
  fit.run();
  return fit.loop->training().learning_rates().at(0);
}

}  // namespace

TEST_CASE("the examples of docs/schedules.md train") {
  CHECK(last_rate(warm_up_and_anneal) == doctest::Approx(3e-4 * (0.01 + 0.99 * 12 / 500)));
  CHECK(last_rate([](Module& module) { return one_cycle(module, 12); }) == doctest::Approx(0.4 / 25 / 1e4));
  CHECK(last_rate(reduce_on_plateau) == 0.1);
}
