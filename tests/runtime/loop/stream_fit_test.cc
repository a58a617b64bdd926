// A fit on data that says only at its end how long it was, next to one on the same data of known length.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/stream.h"

using namespace troupe;

namespace {

// begin a stream
/// What another loader gives in one epoch.
class LoaderStream : public Stream {
 public:
  LoaderStream(std::shared_ptr<DataLoader> loader, int64_t epoch) : loader_(std::move(loader)) {
    loader_->begin(epoch, 0);
  }
  std::optional<Batch> next() override {
    if (given_ == loader_->batches()) {
      return std::nullopt;
    }
    ++given_;
    return loader_->next();
  }

 private:
  std::shared_ptr<DataLoader> loader_;
  int64_t given_ = 0;
};

std::unique_ptr<Stream> stream_of(int64_t epoch) {
  return std::make_unique<LoaderStream>(small_loader(), epoch);
}

std::shared_ptr<DataLoader> streamed_loader() {
  return make_stream_loader(stream_of);
}
// end a stream

/// The events without what tells the two kinds of data apart.
std::vector<std::string> comparable(const SmallFit& fit) {
  std::vector<std::string> bytes;
  for (const auto& event : fit.sink.events) {
    Event copy = *event;
    copy.clear_elapsed_us();
    if (copy.has_fit_started()) {
      copy.mutable_fit_started()->clear_train_batches();
      copy.mutable_fit_started()->clear_train_ends_by_itself();
      copy.mutable_fit_started()->clear_batch_size();
    }
    if (copy.has_train_batch_ended()) {
      copy.mutable_train_batch_ended()->clear_last_of_epoch();
    }
    bytes.push_back(copy.SerializeAsString());
  }
  return bytes;
}

TrainerOptions accumulating_options() {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 4;  // Of six batches: the second window is closed by the data's end.
  return options;
}

}  // namespace

TEST_CASE("a fit on a stream is that on the same data of known length, to the bit") {
  for (const auto& options : {small_options(), accumulating_options()}) {
    SmallFit known(options);
    SmallFit streamed(options, {}, streamed_loader());
    known.run();
    streamed.run();
    CHECK(comparable(streamed) == comparable(known));
    std::vector<bool> last;
    for (const auto& event : streamed.events<TrainBatchEnded>()) {
      last.push_back(event.train_batch_ended().last_of_epoch());
    }
    CHECK(last == std::vector<bool>{false, false, false, false, false, true, false, false, false, false, false, true});
    const auto facts = streamed.events<FitStarted>().at(0).fit_started();
    CHECK(facts.train_ends_by_itself());
    CHECK(facts.train_batches() == 0);
    CHECK_FALSE(facts.validation_ends_by_itself());
    CHECK(facts.validation_batches() == 2);
  }
}

TEST_CASE("a fit on a stream goes on from any batch, its last one and the validation after it too") {
  const auto save_always = [](SmallFit& fit) {
    const auto save = [](Control& control) {
      v1::SaveCheckpoint what;
      what.set_path("x.ckpt");
      control.save_checkpoint(what);
    };
    fit.sink.asked.set(Event::kTrainBatchEnded);
    fit.sink.asked.set(Event::kValidationBatchEnded);
    fit.sink.asked.set(Event::kTrainEpochEnded);
    fit.sink.decide = [save, &fit](const Event& event) {
      std::vector<Decision> decisions;
      Control control(fit.sink.run, event.elapsed_us());
      save(control);
      for (const auto& command : control.commands()) {
        decisions.push_back({"c", "Controller", command});
      }
      return decisions;
    };
  };
  SmallFit whole(accumulating_options(), {}, streamed_loader());
  save_always(whole);
  whole.run();
  REQUIRE(whole.sink.snapshots.size() == 12 + 4 + 2);
  for (const auto& snapshot : whole.sink.snapshots) {
    SmallFit resumed(accumulating_options(), {}, streamed_loader());
    resumed.resume(*snapshot);
    CHECK(resumed.state_bytes() == whole.state_bytes());
  }
}

TEST_CASE("limits in batches hold for streams, and fractions of an unknown length are refused") {
  TrainerOptions options = small_options();
  options.limit_train_batches = 4;
  SmallFit limited(options, {}, streamed_loader());
  limited.run();
  CHECK(limited.events<TrainBatchEnded>().size() == 8);
  CHECK(limited.events<ValidationEnded>().size() == 3);  // With the sanity check.

  options.limit_train_batches = 40;  // The data ends before.
  options.val_check_interval = ValidationInterval(4);
  SmallFit ended(options, {}, streamed_loader());
  ended.run();
  CHECK(ended.events<TrainBatchEnded>().size() == 12);
  CHECK(ended.events<ValidationEnded>().size() == 3);
  CHECK(ended.events<ValidationEnded>()[1].position().global_step() == 4);

  options = small_options();
  options.limit_train_batches = 0.5;
  CHECK_THROWS_WITH_AS(
      SmallFit(options, {}, streamed_loader()),
      "trainer: 'limit_train_batches': the data does not say how many batches it has, so 0.5 of them is "
      "not known; allowed are 1.0, 0.0, a number of batches",
      ConfigError);
  options = small_options();
  options.val_check_interval = ValidationInterval(0.5);
  CHECK_THROWS_WITH_AS(
      SmallFit(options, {}, streamed_loader()),
      "trainer: 'val_check_interval': the training data does not say how many batches it has, so 0.5 of "
      "them is not known; allowed are 1.0, a number of batches, a duration",
      ConfigError);
}

TEST_CASE("a validation on a stream ends with it") {
  torch::manual_seed(7);
  SmallModule module;
  const TrainerOptions options = small_options();
  FitRun run(module, small_loader(), {streamed_loader(), small_loader(12)}, options);
  RecordingSink sink;
  run.run(sink, RunStarted());
  int batches = 0;
  for (const auto& event : sink.events) {
    batches += event->has_validation_batch_ended() && event->position().stage() == v1::STAGE_VALIDATE ? 1 : 0;
  }
  CHECK(batches == 2 * (6 + 2));
  CHECK(run.facts().validation_ends_by_itself());
}

TEST_CASE("an epoch without any batch is an error that names it") {
  struct Nothing : Stream {
    std::optional<Batch> next() override { return std::nullopt; }
  };
  SmallFit fit(small_options(), {}, make_stream_loader([](int64_t) { return std::make_unique<Nothing>(); }));
  CHECK_THROWS_WITH_AS(fit.run(), "the training data gave no batch in epoch 0", DataError);
}

TEST_CASE("a trial on a stream begins its next epoch at its end") {
  SmallFit fit(small_options(), {}, streamed_loader());
  size_t steps = 0;
  fit.live<TrainStarted>(
      [&](const TrainStarted& /*event*/, Live& live) { steps = live.run_trial({.steps = 15}).steps.size(); });
  fit.run();
  CHECK(steps == 15);
}
