#include "troupe/runtime/loop/trial.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

TrainerOptions with_accumulation() {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 2;
  options.gradient_clip_val = 0.5;
  return options;
}

/// Runs with a trial at the events of type E, and requires that nothing is different from a run without.
template <EventBody E>
void check_traceless(const std::function<void(Live&)>& trial, const std::shared_ptr<DataLoader>& loader) {
  SmallFit plain(with_accumulation());
  plain.run();
  int trials = 0;
  SmallFit tried(with_accumulation(), {}, loader);
  tried.live<E>([&](const E&, Live& live) {
    trial(live);
    ++trials;
  });
  tried.run();
  CHECK(trials > 0);
  CHECK(tried.state_bytes() == plain.state_bytes());
  CHECK(tried.event_bytes() == plain.event_bytes());
}

}  // namespace

TEST_CASE("a run with trials is byte for byte the run without") {
  const auto trial = [](Live& live) {
    const auto result = live.run_trial({.learning_rate = [](int64_t step) { return 0.1 * step; }, .steps = 5});
    CHECK(result.steps.size() == 5);
  };
  SUBCASE("after batches, in open accumulation windows too") {
    check_traceless<TrainBatchEnded>(trial, small_loader());
  }
  SUBCASE("with a loader that makes batches ahead") {
    check_traceless<TrainBatchEnded>(trial, small_loader(4, 2));
  }
  SUBCASE("at the start of the fit") {
    check_traceless<FitStarted>(trial, small_loader());
  }
  SUBCASE("within a validation and its sanity check") {
    check_traceless<ValidationBatchEnded>(trial, small_loader());
  }
  SUBCASE("after an epoch") {
    check_traceless<TrainEpochEnded>(trial, small_loader());
  }
}

TEST_CASE("a trial that throws puts everything back too") {
  check_traceless<TrainBatchEnded>(
      [](Live& live) {
        const auto fail = [](const TrialStep& step) -> bool {
          throw std::runtime_error("step " + std::to_string(step.index));
        };
        CHECK_THROWS_WITH_AS(live.run_trial({.after_step = fail, .steps = 3}), "step 0", std::runtime_error);
      },
      small_loader());
}

TEST_CASE("what the module throws in a trial leaves no trace") {
  SmallFit plain;
  plain.run();
  SmallFit tried;
  bool fail = false;
  tried.module->in_training_step = [&](int64_t batch_index) {
    if (fail && batch_index == 2) {
      throw std::runtime_error("out of memory");
    }
  };
  tried.live<TrainEpochStarted>([&](const TrainEpochStarted&, Live& live) {
    fail = true;
    CHECK_THROWS_WITH(live.run_trial({}), "out of memory");
    fail = false;
  });
  tried.run();
  CHECK(tried.state_bytes() == plain.state_bytes());
}

TEST_CASE("a sweep sees the rates that it sets and ends when it says so") {
  SmallFit fit(with_accumulation());
  TrialResult sweep;
  fit.live<TrainStarted>([&](const TrainStarted&, Live& live) {
    TrialOptions options;
    options.learning_rate = [](int64_t step) { return 1e-4 * std::pow(10.0, static_cast<double>(step)); };
    options.after_step = [](const TrialStep& step) { return step.index < 3; };
    sweep = live.run_trial(options);
  });
  fit.run();
  REQUIRE(sweep.steps.size() == 4);
  CHECK(sweep.steps[3].index == 3);
  CHECK(sweep.steps[3].learning_rate == doctest::Approx(0.1));
  CHECK(sweep.steps[3].loss > 0);
  CHECK(sweep.steps[3].samples == 8);  // Two batches a step.
}

TEST_CASE("a trial can have batches of another size, where the loader can make them") {
  SmallFit fit(with_accumulation());
  std::vector<int64_t> samples;
  std::vector<int64_t> largest;
  fit.live<TrainStarted>([&](const TrainStarted&, Live& live) {
    for (const int64_t batch_size : {2, 16, 100}) {
      const auto result = live.run_trial({.batch_size = batch_size, .steps = 1});
      samples.push_back(result.steps.at(0).samples);
      largest.push_back(result.steps.at(0).batch_size);
    }
  });
  fit.run();
  CHECK(samples == std::vector<int64_t>{4, 24, 48});  // Two batches a step, of the 24 samples that an epoch has.
  CHECK(largest == std::vector<int64_t>{2, 16, 24});

  const Batch batch{torch::ones({3, 3}), torch::zeros({3, 1}), {}};
  SmallFit fixed(small_options(), {}, std::make_shared<FixedBatches>(std::vector<Batch>(2, batch)));
  fixed.live<TrainStarted>([&](const TrainStarted&, Live& live) {
    CHECK(live.run_trial({.steps = 3}).steps.size() == 3);
    CHECK_THROWS_AS(live.run_trial({.batch_size = 2}), ConfigError);
  });
  fixed.run();
}

TEST_CASE("a trial is refused where a graph is alive, before the fit has started, and for impossible options") {
  SmallFit fit;
  int refused = 0;
  const auto refuse = [&](Live& live, const TrialOptions& options) {
    CHECK_THROWS_AS(live.run_trial(options), ConfigError);
    ++refused;
  };
  fit.live<BackwardStarted>([&](const BackwardStarted&, Live& live) { refuse(live, {}); });
  fit.live<SetUp>([&](const SetUp&, Live& live) { refuse(live, {}); });
  fit.live<TrainStarted>([&](const TrainStarted&, Live& live) { refuse(live, {.steps = 0}); });
  fit.run();
  CHECK(refused == 14);
}

TEST_CASE("a forward pass over the epoch's batches changes BatchNorm's statistics alone") {
  SmallFit plain(with_accumulation());
  plain.run();
  std::vector<int64_t> batches;
  SmallFit passed(with_accumulation());
  passed.module->in_training_step = [&](int64_t batch_index) { batches.push_back(batch_index); };
  passed.live<TrainBatchEnded>([&](const TrainBatchEnded&, Live& live) {
    std::vector<NamedTensor> buffers;
    for (const auto& buffer : live.module().named_buffers()) {
      buffers.push_back({buffer.key(), buffer.value().clone()});
    }
    batches.clear();
    live.forward_train_batches();
    CHECK(batches == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
    for (auto& buffer : live.module().named_buffers()) {
      CHECK_FALSE(buffer.value().equal(*find_tensor(buffers, buffer.key())));
      buffer.value().copy_(*find_tensor(buffers, buffer.key()));
    }
  });
  passed.run();
  CHECK(passed.state_bytes() == plain.state_bytes());
  CHECK(passed.event_bytes() == plain.event_bytes());
}

TEST_CASE("a forward pass that throws puts modes and random numbers back, and is refused where a trial is") {
  SmallFit plain;
  plain.run();
  SmallFit passed;
  bool fails = false;
  passed.module->in_training_step = [&](int64_t /*batch_index*/) {
    if (fails) {
      torch::rand({3});
      throw std::runtime_error("no more");
    }
  };
  passed.live<ValidationBatchEnded>([&](const ValidationBatchEnded&, Live& live) {
    fails = true;
    CHECK_THROWS_WITH_AS(live.forward_train_batches(), "no more", std::runtime_error);
    fails = false;
    CHECK_FALSE(live.module().is_training());
  });
  passed.live<BackwardStarted>([](const BackwardStarted&, Live& live) {
    CHECK_THROWS_WITH_AS(live.forward_train_batches(),
                         doctest::Contains("forward_train_batches: not allowed at BackwardStarted"), ConfigError);
  });
  passed.run();
  CHECK(passed.state_bytes() == plain.state_bytes());
}
