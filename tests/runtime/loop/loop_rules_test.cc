#include "troupe/runtime/loop/loop_rules.h"

#include <doctest/doctest.h>

using namespace troupe;
using v1::LoopState;

namespace {

/// A fit of ten batches an epoch, with a validation at the end of each, and no limit.
struct Standing {
  LoopState loop;
  LoopLimits limits{.train_batches = 10, .validation_batches = 2, .validation_interval = 10};
  StopVotes votes;
  LoopRules rules{loop, limits, votes};

  /// A batch of an epoch has just ended; the ones before it and their epochs are done.
  void after_batch(uint64_t epoch, uint64_t batches_done) {
    loop.set_phase(LoopState::PHASE_BATCH_ENDED);
    loop.set_epoch(epoch);
    loop.set_epochs_completed(epoch);
    loop.set_batches_done(batches_done);
    loop.set_total_batches(epoch * static_cast<uint64_t>(limits.train_batches) + batches_done);
    loop.set_global_step(loop.total_batches());
  }
  void after_epoch(uint64_t epoch) {
    after_batch(epoch, static_cast<uint64_t>(limits.train_batches));
    loop.set_epochs_completed(epoch + 1);
    loop.set_phase(LoopState::PHASE_EPOCH_ENDED);
  }
  bool due() const { return rules.validation() == LoopRules::Validation::kDue; }
};

}  // namespace

TEST_CASE("an epoch is finished with its last batch, and a fit between two epochs only") {
  Standing fit;
  fit.limits.max_epochs = 2;
  fit.after_batch(1, 9);
  CHECK_FALSE(fit.rules.epoch_finished());
  CHECK(fit.rules.epoch_cut_short());
  fit.after_batch(1, 10);
  CHECK(fit.rules.epoch_finished());
  CHECK_FALSE(fit.rules.epoch_cut_short());
  CHECK_FALSE(fit.rules.done());
  fit.after_epoch(0);
  CHECK_FALSE(fit.rules.done());
  fit.after_epoch(1);
  CHECK(fit.rules.done());
  CHECK(fit.rules.outcome().reason == "max_epochs=2 reached");
  CHECK(fit.rules.outcome().status == v1::RUN_STATUS_FINISHED);
}

TEST_CASE("max_steps ends an epoch in the middle, and is the reason even where max_epochs is reached too") {
  Standing fit;
  fit.limits.max_steps = 5;
  fit.limits.max_epochs = 1;
  fit.after_batch(0, 4);
  CHECK_FALSE(fit.rules.epoch_finished());
  fit.after_batch(0, 5);
  CHECK(fit.rules.reached_max_steps());
  CHECK(fit.rules.epoch_finished());
  fit.after_epoch(0);
  CHECK(fit.rules.outcome().reason == "max_steps=5 reached");
}

TEST_CASE("limits of 0 end a fit before its first epoch, and no batches do so too") {
  Standing fit;
  fit.loop.set_phase(LoopState::PHASE_EPOCH_START);
  CHECK_FALSE(fit.rules.done());
  fit.limits.max_epochs = 0;
  CHECK(fit.rules.done());
  fit.limits.max_epochs = -1;
  fit.limits.max_steps = 0;
  CHECK(fit.rules.done());
  fit.limits.max_steps = -1;
  fit.limits.train_batches = 0;
  CHECK(fit.rules.done());
  CHECK(fit.rules.outcome().reason == "no training batches");
}

TEST_CASE("a vote stops the run once min_epochs and min_steps are met, and not after it was withdrawn") {
  Standing fit;
  fit.limits.min_epochs = 1;
  fit.limits.min_steps = 12;
  fit.votes.add("b", "enough");
  fit.votes.add("a", "plenty");
  fit.after_batch(0, 9);
  CHECK_FALSE(fit.rules.epoch_finished());
  fit.after_batch(1, 1);
  CHECK_FALSE(fit.rules.epoch_finished());
  fit.after_batch(1, 2);
  CHECK(fit.rules.epoch_finished());
  const auto outcome = fit.rules.outcome();
  CHECK(outcome.status == v1::RUN_STATUS_STOPPED);
  CHECK(outcome.stopped_by == "a");
  CHECK(outcome.stop_reason == "plenty");
  CHECK(outcome.reason == "stopped by a: plenty");
  fit.votes.withdraw("a");
  fit.votes.withdraw("b");
  CHECK_FALSE(fit.rules.epoch_finished());
}

TEST_CASE("a validation is due after every interval of batches, counted within each epoch or over all of them") {
  Standing fit;
  fit.limits.validation_interval = 4;
  fit.after_batch(1, 4);
  CHECK(fit.due());
  fit.after_batch(1, 2);
  CHECK_FALSE(fit.due());
  fit.limits.count_over_epochs = true;
  CHECK(fit.due());
}

TEST_CASE("no validation is due without validation batches, or in an epoch that is not one of the n-th") {
  Standing fit;
  fit.limits.validation_epochs = 2;
  fit.after_batch(0, 10);
  CHECK_FALSE(fit.due());
  fit.after_batch(1, 10);
  CHECK(fit.due());
  fit.limits.validation_batches = 0;
  CHECK_FALSE(fit.due());
}

TEST_CASE("a stop brings a validation after any batch, where the epoch has any") {
  Standing fit;
  fit.limits.validation_epochs = 2;
  fit.votes.add("a", "enough");
  fit.after_batch(1, 3);
  CHECK(fit.due());
  fit.after_batch(2, 3);
  CHECK_FALSE(fit.due());
}

TEST_CASE("where an interval is a time the clock decides, unless the run stops") {
  Standing fit;
  fit.limits.validation_interval_us = 1000;
  fit.after_batch(0, 10);
  CHECK(fit.rules.validation() == LoopRules::Validation::kByTheClock);
  CHECK_FALSE(fit.rules.validation_was_skipped());
  fit.votes.add("a", "enough");
  CHECK(fit.due());
}

TEST_CASE("a batch that SkipEpoch makes the last brings the validation of the epoch's end, also when it is late") {
  Standing fit;
  fit.after_batch(0, 3);
  CHECK_FALSE(fit.due());
  fit.loop.set_skip_epoch(true);
  CHECK(fit.rules.epoch_finished());
  CHECK(fit.due());
  CHECK_FALSE(fit.rules.validation_was_skipped());
  fit.loop.set_phase(LoopState::PHASE_TRAIN_BATCH);
  CHECK(fit.rules.validation_was_skipped());
  fit.loop.set_validated_batches(3);
  CHECK_FALSE(fit.rules.validation_was_skipped());
  fit.limits.count_over_epochs = true;  // Then the end of an epoch is nothing special.
  CHECK_FALSE(fit.due());
}

TEST_CASE("an epoch is under way from its first batch on until it has ended, validations included") {
  LoopState loop;
  for (const auto phase : {LoopState::PHASE_TRAIN_BATCH, LoopState::PHASE_BATCH_ENDED, LoopState::PHASE_VALIDATION}) {
    loop.set_phase(phase);
    CHECK(in_epoch(loop));
  }
  for (const auto phase : {LoopState::PHASE_FIT_START, LoopState::PHASE_SANITY_CHECK, LoopState::PHASE_EPOCH_START,
                           LoopState::PHASE_EPOCH_ENDED, LoopState::PHASE_TRAIN_ENDED}) {
    loop.set_phase(phase);
    CHECK_FALSE(in_epoch(loop));
  }
}
