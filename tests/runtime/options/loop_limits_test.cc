#include "troupe/runtime/options/loop_limits.h"

#include <doctest/doctest.h>

#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("fractions and counts limit what the loaders have") {
  TrainerOptions options;
  options.limit_train_batches = 0.5;
  options.limit_val_batches = 2;
  const auto limits = loop_limits(options, 7, {5});
  CHECK(limits.train_batches == 3);
  CHECK(limits.validation_batches == 2);
  CHECK(limits.sanity_batches == std::vector<int64_t>{2});
}

TEST_CASE("a fraction of an epoch between validations is rounded down, and is at least one batch") {
  TrainerOptions options;
  options.val_check_interval = 0.3;
  CHECK(loop_limits(options, 10, {1}).validation_interval == 3);
  CHECK(loop_limits(options, 2, {1}).validation_interval == 1);
}

TEST_CASE("an interval of more batches than an epoch has is refused, unless it counts over epochs") {
  TrainerOptions options;
  options.val_check_interval = 11;
  CHECK_THROWS_AS(loop_limits(options, 10, {1}), ConfigError);
  CHECK_NOTHROW(loop_limits(options, 10, {0}));
  options.check_val_every_n_epoch.reset();
  const auto limits = loop_limits(options, 10, {1});
  CHECK(limits.validation_interval == 11);
  CHECK(limits.count_over_epochs);
}

TEST_CASE("num_sanity_val_steps -1 takes the whole validation") {
  TrainerOptions options;
  options.num_sanity_val_steps = -1;
  CHECK(loop_limits(options, 10, {5}).sanity_batches == std::vector<int64_t>{5});
}

TEST_CASE("one validation at the end of every epoch is told apart from every other rhythm") {
  TrainerOptions options;
  CHECK(loop_limits(options, 10, {5}).validates_at_epoch_end);
  options.check_val_every_n_epoch = 2;
  CHECK_FALSE(loop_limits(options, 10, {5}).validates_at_epoch_end);
  options.check_val_every_n_epoch = 1;
  options.val_check_interval = 0.5;
  CHECK_FALSE(loop_limits(options, 10, {5}).validates_at_epoch_end);
}

TEST_CASE("each validation loader is limited for itself") {
  TrainerOptions options;
  options.limit_val_batches = 0.5;
  const auto limits = loop_limits(options, 10, {8, 2, 1});
  CHECK(limits.validation_batches_by_loader == std::vector<int64_t>{4, 1, 0});
  CHECK(limits.validation_batches == 5);
  CHECK(limits.sanity_batches == std::vector<int64_t>{2, 1, 0});
  options.num_sanity_val_steps = 0;
  CHECK(loop_limits(options, 10, {8}).sanity_batches.empty());
  CHECK(loop_limits(options, 10, {}).sanity_batches.empty());
}

TEST_CASE("an interval of time counts no batches") {
  TrainerOptions options;
  options.val_check_interval = "00:00:01:30";
  const auto limits = loop_limits(options, 10, {1});
  CHECK(limits.validation_interval_us == 90'000'000);
  CHECK_FALSE(limits.validates_at_epoch_end);
  options.check_val_every_n_epoch.reset();
  CHECK_NOTHROW(loop_limits(options, 10, {1}));
}
