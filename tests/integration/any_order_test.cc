// The order in which callbacks are added changes nothing: every permutation of six of them, of every kind, gives the
// same weights, the same events, the same checkpoints and the same files; and so does each place among them of one that
// works on the live module.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/averaging/ema_weight_averaging.h"
#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/finetuning/model_pruning.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

/// Commands that meet those of others in one round, and an event for whoever takes it.
struct Stages {
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    const uint64_t step = control.run().global_step();
    if (step % 4 == 2) {
      control.set_learning_rate(0.1 / static_cast<double>(step));
      control.log("stage", static_cast<double>(step));
      control.emit(make_user_event("stage", {{"step", static_cast<int64_t>(step)}}));
      v1::SaveCheckpoint save;
      save.set_path("checkpoints/stage-" + std::to_string(step) + ".ckpt");
      control.save_checkpoint(save);
    }
    if (step == 3) {
      control.stop("enough");
    }
    if (step == 5) {
      control.set_accumulation(2);
      control.withdraw_stop();
    }
  }
};

/// An observer whose state depends on what others did.
struct StageCounter {
  int64_t stages = 0;
  double learning_rates = 0;

  void on(const UserEvent& event, const RunState& run) {
    stages += std::get<int64_t>(event_values(event).at("step"));
    learning_rates += run.learning_rates().empty() ? 0 : run.learning_rates()[0].value();
  }
  StateDict state_dict() const {
    StateDict state;
    state.set("stages", stages);
    state.set("learning_rates", learning_rates);
    return state;
  }
  void load_state_dict(const StateDict& state) {
    stages = state.get_int("stages");
    learning_rates = state.get_double("learning_rates");
  }
};

constexpr int kCallbacks = 6;
using Order = std::vector<int>;
enum LiveCallback { kAveraging = kCallbacks, kStochasticAveraging, kPruning };

void add(Trainer& trainer, int which) {
  switch (which) {
    case 0:
      trainer.add(ModelCheckpoint({.monitor = "val_loss", .save_last = true, .save_top_k = 2}));
      break;
    case 1:
      trainer.add(EarlyStopping({.min_delta = 1.0, .monitor = "val_loss", .patience = 1}));
      break;
    case 2:
      trainer.add(LearningRateMonitor());
      break;
    case 3:
      trainer.add(CSVLogger());
      break;
    case 4:
      trainer.add(Stages(), "stages");
      break;
    case kAveraging:
      trainer.add(EMAWeightAveraging({.decay = 0.5}));
      break;
    case kStochasticAveraging:
      trainer.add(StochasticWeightAveraging({.annealing_epochs = 0, .swa_epoch_start = 1, .swa_lrs = {0.02}}));
      break;
    case kPruning:
      trainer.add(ModelPruning({.amount = 0.3}));
      break;
    default:
      trainer.add(StageCounter(), "stage counter");
      break;
  }
}

Fingerprint train(const fs::path& run_dir, const Order& order) {
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  auto options = tiny_options(run_dir);
  options.max_epochs = 4;
  options.min_steps = 8;
  options.enable_checkpointing = true;
  options.log_every_n_steps = 1;
  Trainer trainer(options);
  for (const int which : order) {
    add(trainer, which);
  }
  const RunResult result = trainer.fit(module, data);
  Fingerprint items;
  const auto weights = weights_of(module);
  items["weights"].assign(reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float));
  items["run_state"] = result.state.deterministic_bytes();
  items["events"] = shared_events(run_dir);
  items["metrics.csv"] = read_file(run_dir / "metrics.csv");
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints")) {
    for (auto& [name, bytes] : checkpoint_items(entry.path())) {
      items[entry.path().filename().string() + ": " + name] = std::move(bytes);
    }
  }
  return items;
}

}  // namespace

TEST_CASE("every order of six callbacks gives the same weights, events, checkpoints and files") {
  const TemporaryFolder folder;
  Order order(kCallbacks);
  std::iota(order.begin(), order.end(), 0);
  const Fingerprint first = train(folder.path() / "first", order);
  // The callbacks did what makes orders matter.
  CHECK(events_of<CheckpointTaken>(folder.path() / "first").size() >= 4);
  CHECK(events_of<UserEvent>(folder.path() / "first").size() == 2);
  CHECK(history_of(folder.path() / "first").back().run_ended().reason().find("EarlyStopping") != std::string::npos);
  int orders = 1;
  while (std::next_permutation(order.begin(), order.end())) {
    const fs::path run_dir = folder.path() / "other";
    const auto differing = differences(first, train(run_dir, order));
    fs::remove_all(run_dir);
    ++orders;
    REQUIRE(differing == std::set<std::string>());
  }
  CHECK(orders == 720);
}

TEST_CASE("every place of a callback that works on the live module gives the same") {
  const TemporaryFolder folder;
  Order others(kCallbacks);
  std::iota(others.begin(), others.end(), 0);
  const Fingerprint without = train(folder.path() / "without", others);
  for (const int live : {kAveraging, kStochasticAveraging, kPruning}) {
    CAPTURE(live);
    std::optional<Fingerprint> first;
    for (int place = 0; place <= kCallbacks; ++place) {
      Order order = others;
      order.insert(order.begin() + place, live);
      const fs::path run_dir = folder.path() / "run";
      const Fingerprint items = train(run_dir, order);
      fs::remove_all(run_dir);
      first = first ? first : items;
      REQUIRE(differences(*first, items) == std::set<std::string>());
    }
    CHECK(differences(without, *first).contains("weights"));
  }
}
