#include "troupe/callbacks/guarding/spike_detection.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include "tests/support/fake_run.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A fit that logs "loss", with a SpikeDetection whose file is in a folder of its own.
struct Spiked {
  explicit Spiked(SpikeDetectionOptions options = {}, RunState state = {})
      : callback(std::make_shared<SpikeDetection>(named(std::move(options)))), run(callback, std::move(state)) {
    callback->set_run_directory(folder.path());
    callback->prepare_files(v1::STAGE_FIT);
  }
  static SpikeDetectionOptions named(SpikeDetectionOptions options) {
    options.monitor = "loss";
    return options;
  }

  /// Trains on batches with these losses, and gives the indices of those that were spikes.
  std::vector<size_t> spikes(const std::vector<double>& losses) {
    std::vector<size_t> found;
    for (size_t i = 0; i < losses.size(); ++i) {
      const size_t before = events().size();
      run.train_batch({{"loss", losses[i]}, {"other", -losses[i]}});
      if (events().size() > before) {
        found.push_back(i);
      }
    }
    return found;
  }
  /// What it has emitted.
  std::vector<EventValues> events() const {
    std::vector<EventValues> found;
    for (const auto& command : run.commands()) {
      if (command.has_custom()) {
        CHECK(command.custom().event().type() == "SpikeDetected");
        found.push_back(event_values(command.custom().event()));
      }
    }
    return found;
  }
  std::string file_text() const { return read_file(folder.path() / "skip_batches.json"); }

  TemporaryFolder folder;
  std::shared_ptr<SpikeDetection> callback;
  FakeRun run;
};

using Indices = std::vector<size_t>;

}  // namespace

TEST_CASE("SpikeDetection finds a value that is far above the mean of the last ones") {
  Spiked spiked;
  spiked.run.start_fit();
  CHECK(spiked.spikes({1, 1.2, 0.8, 2.9, 1, 4.2, 1}) == Indices{5});  // 2.82 from the mean, 1.38.
}

TEST_CASE("SpikeDetection compares with atol and rtol, both of which a spike must reach") {
  const std::vector<double> losses{2, 2, 2, 5, 2, 2, 2, 6.5};
  const auto spikes = [&](std::optional<double> atol, std::optional<double> rtol) {
    Spiked spiked({.atol = atol, .rtol = rtol, .window = 3});
    spiked.run.start_fit();
    return spiked.spikes(losses);
  };
  CHECK(spikes(std::nullopt, 1.5) == Indices{3, 7});  // 3 is just 1.5 times the mean away.
  CHECK(spikes(std::nullopt, 1.6) == Indices{7});
  CHECK(spikes(3.0, std::nullopt) == Indices{3, 7});
  CHECK(spikes(3.1, std::nullopt) == Indices{7});
  CHECK(spikes(4.6, 1.5) == Indices{});
  CHECK(spikes(4.5, 2.3) == Indices{});
}

TEST_CASE("SpikeDetection looks to the worse side alone") {
  Spiked smaller({.rtol = 0.5});
  smaller.run.start_fit();
  CHECK(smaller.spikes({10, 10, 1, 1.2, 9.9}) == Indices{4});  // 1.2 is worse than 1, but far on the good side.
  Spiked larger({.mode = Mode::kMax, .rtol = 0.5});
  larger.run.start_fit();
  CHECK(larger.spikes({10, 10, 30, 29, 5, 31}) == Indices{4});
}

TEST_CASE("SpikeDetection does not take a value that is better than the last good one for a spike") {
  Spiked spiked({.rtol = 1.0, .warmup = 3});
  spiked.run.start_fit();
  CHECK(spiked.spikes({1, 1, 8, 7.9, 9}) == Indices{4});  // 7.9 is 4.6 from the mean, 3.3, but better than 8.
}

TEST_CASE("SpikeDetection takes what is not finite for a spike after the warm-up, unless told to pass it over") {
  const std::vector<double> losses{kNaN, kNaN, 1, kInf, -kInf, kNaN, 1, 50};
  Spiked spiked({.warmup = 2});
  spiked.run.start_fit();
  CHECK(spiked.spikes(losses) == Indices{3, 4, 5, 7});
  Spiked lenient({.finite_only = false, .warmup = 2});
  lenient.run.start_fit();
  CHECK(lenient.spikes(losses) == Indices{7});
}

TEST_CASE("SpikeDetection counts its warm-up over epochs") {
  Spiked spiked({.warmup = 3});
  spiked.run.start_fit();
  CHECK(spiked.spikes({1, 90}) == Indices{});
  spiked.run.end_epoch();
  CHECK(spiked.spikes({1, 900, 1}) == Indices{1});
  spiked.run.end_epoch();
  CHECK(spiked.spikes({900}) == Indices{0});
}

TEST_CASE("SpikeDetection by the median is not misled by a spike that the warm-up let in") {
  const std::vector<double> losses{1000, 1.0, 1.2, 0.9, 1.1, 2.1, 1.0};
  Spiked mean({.warmup = 1});
  mean.run.start_fit();
  CHECK(mean.spikes(losses) == Indices{});
  Spiked median({.statistic = SpikeStatistic::kMedian, .threshold = 8, .warmup = 4});
  median.run.start_fit();
  CHECK(median.spikes(losses) == Indices{5});  // Median 1.1, deviations 0, 0.1, 0.1, 0.2, 998.9.
  Spiked tolerant({.statistic = SpikeStatistic::kMedian, .threshold = 11, .warmup = 4});
  tolerant.run.start_fit();
  CHECK(tolerant.spikes(losses) == Indices{});
}

TEST_CASE("SpikeDetection by the median needs atol where most values are equal") {
  const std::vector<double> losses{1, 1, 1, 1, 1.5, 5};
  Spiked no_scale({.statistic = SpikeStatistic::kMedian});
  no_scale.run.start_fit();
  CHECK(no_scale.spikes(losses) == Indices{});
  Spiked scaled({.atol = 1.0, .statistic = SpikeStatistic::kMedian});
  scaled.run.start_fit();
  CHECK(scaled.spikes(losses) == Indices{5});
}

TEST_CASE("SpikeDetection keeps spikes out of its statistic until they are a new level") {
  Spiked spiked({.action = SpikeAction::kReport, .window = 3});
  spiked.run.start_fit();
  CHECK(spiked.spikes({1, 1, 1, 50, 60, 1, 50, 51, 52, 53, 54, 500}) == Indices{3, 4, 6, 7, 8, 11});
}

TEST_CASE("SpikeDetection tells what it saw, and votes to stop unless it only reports") {
  for (const auto action : {SpikeAction::kReport, SpikeAction::kStop}) {
    Spiked spiked({.action = action});
    spiked.run.start_fit();
    spiked.spikes({1, 2});
    spiked.run.end_epoch();
    const auto commands = spiked.run.train_batch({{"loss", 8.0}});
    CHECK(spiked.events() == std::vector<EventValues>{{{"batch_index", int64_t{0}},
                                                       {"center", 1.5},
                                                       {"epoch", int64_t{1}},
                                                       {"monitor", std::string("loss")},
                                                       {"step", int64_t{3}},
                                                       {"value", 8.0}}});
    const FakeRun::Commands stop{
        "stop: loss = 8 in batch 0 of epoch 1 is a spike: the mean of the last 2 good values is 1.5"};
    CHECK(FakeRun::Commands(commands.begin() + 1, commands.end()) == (action == SpikeAction::kStop ? stop : kNothing));
  }
}

TEST_CASE("SpikeDetection writes the batch and the one before it, whatever that one logged") {
  Spiked spiked;
  spiked.run.start_fit();
  spiked.spikes({1, 1});
  spiked.run.train_batch();
  spiked.run.end_epoch();
  CHECK_FALSE(std::filesystem::exists(spiked.folder.path() / "skip_batches.json"));
  spiked.spikes({kNaN});
  const std::string first =
      "[\n"
      R"({"batch_index":2,"epoch":0,"step":3,"value":null})"
      ",\n"
      R"({"batch_index":0,"epoch":1,"step":4,"value":"nan"})";
  CHECK(spiked.file_text() == first + "\n]\n");
  spiked.spikes({9, 1});
  CHECK(spiked.file_text() == first + ",\n" + R"({"batch_index":1,"epoch":1,"step":5,"value":9.0})" + "\n]\n");
}

TEST_CASE("SpikeDetection writes no file without a path, nor anything in a fast_dev_run") {
  Spiked unwritten({.exclude_batches_path = ""});
  unwritten.run.start_fit();
  CHECK(unwritten.spikes({1, kNaN}) == Indices{1});
  CHECK(std::filesystem::is_empty(unwritten.folder.path()));

  Spiked tried;
  FitStarted fit = usual_fit();
  fit.set_fast_dev_run(true);
  tried.run.start_fit(fit);
  CHECK(tried.spikes({1, kNaN}) == Indices{});
  tried.run.end_epoch();
  CHECK(std::filesystem::is_empty(tried.folder.path()));
}

TEST_CASE("SpikeDetection that is resumed anywhere decides as if it had not been interrupted") {
  const std::vector<double> losses{1, 1.1, 0.9, 40, 1, kNaN, 1.2, 50, 51, 52, 53, 1, 700};
  const auto options = SpikeDetectionOptions{.action = SpikeAction::kReport, .warmup = 2, .window = 3};
  Spiked whole(options);
  whole.run.start_fit();
  const Indices wanted = whole.spikes(losses);
  CHECK(wanted == Indices{3, 5, 7, 8, 9, 12});
  for (size_t split = 0; split <= losses.size(); ++split) {
    CAPTURE(split);
    const auto middle = losses.begin() + static_cast<std::ptrdiff_t>(split);
    Spiked first(options);
    first.run.start_fit();
    Indices found = first.spikes({losses.begin(), middle});
    Spiked second(options, first.run.state());
    second.run.resume(first.callback->state_dict());
    second.run.position() = first.run.position();
    for (const size_t index : second.spikes({middle, losses.end()})) {
      found.push_back(split + index);
    }
    CHECK(found == wanted);
    CHECK(second.callback->state_dict().to_json() == whole.callback->state_dict().to_json());
    CHECK(second.file_text() == whole.file_text());
  }
}

TEST_CASE("SpikeDetection votes again after a resume where its state has a spike and its options say so") {
  Spiked first;
  first.run.start_fit();
  first.spikes({1, 1});
  const StateDict calm = first.callback->state_dict();
  first.spikes({9});
  const StateDict spiked = first.callback->state_dict();
  const auto votes = [&](const StateDict& state, SpikeAction action) {
    Spiked resumed({.action = action}, first.run.state());
    resumed.run.resume(state);
    return resumed.run.state().votes().size();
  };
  CHECK(votes(calm, SpikeAction::kStop) == 0);
  CHECK(votes(spiked, SpikeAction::kStop) == 1);
  CHECK(votes(spiked, SpikeAction::kReport) == 0);
}

TEST_CASE("SpikeDetection that is resumed from before a spike takes it out of the file") {
  Spiked spiked;
  spiked.run.start_fit();
  spiked.spikes({1, 1});
  const StateDict calm = spiked.callback->state_dict();
  spiked.spikes({9});
  REQUIRE(spiked.file_text() != "[\n]\n");
  spiked.callback->load_state_dict(calm);
  CHECK(spiked.file_text() == "[\n]\n");
}

TEST_CASE("SpikeDetection refuses a metric that no batch logs") {
  Spiked spiked;
  spiked.run.start_fit();
  spiked.run.train_batch({{"losses", 1.0}});
  CHECK_THROWS_WITH_AS(spiked.run.end_epoch(), doctest::Contains("metric 'loss' is missing"), ConfigError);
}

TEST_CASE("SpikeDetection refuses options that make no sense, and a file that cannot be") {
  const auto refuses = [](const SpikeDetectionOptions& options) {
    CHECK_THROWS_AS(SpikeDetection{options}, ConfigError);
  };
  refuses({});
  refuses({.atol = -1.0, .monitor = "loss"});
  refuses({.monitor = "loss", .rtol = std::nullopt});
  refuses({.monitor = "loss", .threshold = 0});
  refuses({.monitor = "loss", .warmup = -1});
  refuses({.monitor = "loss", .window = 0});
  CHECK_NOTHROW(SpikeDetection({.atol = 1.0, .monitor = "loss", .rtol = std::nullopt}));

  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  SpikeDetection detection({.exclude_batches_path = "file/skip.json", .monitor = "loss"});
  detection.set_run_directory(folder.path());
  CHECK_THROWS_AS(detection.prepare_files(v1::STAGE_FIT), IoError);
  CHECK_NOTHROW(detection.prepare_files(v1::STAGE_TEST));
}
