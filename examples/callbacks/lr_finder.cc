// Finds a learning rate: tries rates from small to large on the live model, undoes it all, and trains with the rate at
// which the loss fell fastest.
//
//   build/release/bin/lr_finder
//
// prints how many rates it tried until the loss exploded and which one it suggests, and writes lr_finder.csv (lr, loss,
// smoothed_loss) and the picture lr_finder.svg to the run directory.
#include <iostream>

#include <troupe/actors/trainer.h>
#include <troupe/runtime/base/number_text.h>
#include <troupe/runtime/file/file.h>
#include <troupe/runtime/loop/live.h>
#include <troupe/runtime/plot/line_plot.h>
#include <troupe/runtime/schedule/lr_sweep.h>
#include "examples/callbacks/toy.h"

namespace {

class LrFinder {
 public:
  explicit LrFinder(const troupe::LrSweepOptions& sweep) : sweep_(sweep) { sweep_.validate(); }

  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }

  void on(const troupe::FitStarted& /*event*/, troupe::Live& live) {
    std::vector<double> rates;
    std::vector<double> losses;
    live.run_trial({.after_step =
                        [&](const troupe::TrialStep& step) {
                          rates.push_back(step.learning_rate);
                          losses.push_back(step.loss);
                          const auto smoothed = troupe::smooth_losses(losses, sweep_.smoothing);
                          return !troupe::lr_sweep_diverged(smoothed, sweep_.early_stop_threshold);
                        },
                    .learning_rate = [&](int64_t step) { return troupe::lr_sweep_rate(sweep_, step); },
                    .steps = sweep_.steps});
    const auto smoothed = troupe::smooth_losses(losses, sweep_.smoothing);
    const auto best = troupe::suggest_learning_rate(sweep_, rates, smoothed);
    write_curve(rates, losses, smoothed);
    std::cout << "tried " << rates.size() << " of " << sweep_.steps << " rates\n";
    if (best) {
      draw_curve(rates, smoothed, *best);
      std::cout << "suggested " << troupe::shortest_text(rates[*best]) << '\n';
      live.control().set_learning_rate(rates[*best]);
    }
  }

 private:
  void write_curve(const std::vector<double>& rates, const std::vector<double>& losses,
                   const std::vector<double>& smoothed) const {
    std::string csv = "lr,loss,smoothed_loss\n";
    for (size_t i = 0; i < rates.size(); ++i) {
      csv += troupe::shortest_text(rates[i]) + "," + troupe::shortest_text(losses[i]) + "," +
             troupe::shortest_text(smoothed[i]) + "\n";
    }
    troupe::write_file_atomically(run_directory_ / "lr_finder.csv", csv);
  }

  void draw_curve(const std::vector<double>& rates, const std::vector<double>& smoothed, size_t best) const {
    const std::string svg = troupe::to_svg({.title = "Learning-rate sweep",
                                            .x = {.label = "learning rate", .scale = troupe::AxisScale::kLog10},
                                            .y = {.label = "smoothed loss"},
                                            .lines = {{.x = rates, .y = smoothed}},
                                            .marks = {{rates[best], smoothed[best], "suggested"}}});
    troupe::write_file_atomically(run_directory_ / "lr_finder.svg", svg);
  }

  troupe::LrSweepOptions sweep_;
  std::filesystem::path run_directory_;
};

void train(troupe::TrainerOptions options) {
  toy::Net net;
  toy::Data data;
  troupe::Trainer trainer(std::move(options));
  trainer.add(LrFinder({.max_lr = 100, .min_lr = 1e-4, .smoothing = 0.9}));
  const auto result = trainer.fit(net, data);
  std::cout << "trained with " << troupe::shortest_text(result.state.learning_rates().front().value()) << "\nrun_dir "
            << result.run_dir << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return toy::run(argc, argv, train);
}
