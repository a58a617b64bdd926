#include "troupe/runtime/loop/fit_data.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("the limits of a fit follow its batch size, and what it was given is kept") {
  const TrainerOptions options;
  FitData data(small_loader(4), {small_loader(12)}, options);
  const LoopLimits& limits = data.limits();
  CHECK(limits.train_batches == 6);
  CHECK(limits.validation_batches == 2);
  data.set_batch_size(8);
  CHECK(data.train().batch_size() == 8);
  CHECK(limits.train_batches == 3);
  CHECK(limits.validation_batches == 2);
  CHECK(data.first_limits().train_batches == 6);
  CHECK(data.first_batch_size() == 4);
  data.set_batch_size(0);  // As it is.
  CHECK(data.train().batch_size() == 8);
}

TEST_CASE("a batch size that leaves too few batches for the options is refused, and changes nothing") {
  TrainerOptions options;
  options.val_check_interval = 6;
  FitData data(small_loader(4), {small_loader(12)}, options);
  CHECK(data.batch_size_refusal(4).empty());
  CHECK(contains(data.batch_size_refusal(8), "val_check_interval"));
  CHECK(data.batch_size_refusal(0) == "a batch size must be at least 1");
  CHECK(data.train().batch_size() == 4);
  CHECK(data.limits().train_batches == 6);
}

TEST_CASE("a loader that cannot make batches of another size keeps the one that it has") {
  const TrainerOptions options;
  const std::vector<Batch> batches(3, Batch{torch::zeros({2, 3}), torch::zeros({2, 1}), {}});
  FitData data(std::make_shared<FixedBatches>(batches), {}, options);
  CHECK(data.batch_size_refusal(4) == "the train loader cannot make batches of another size");
  CHECK_THROWS_AS(data.set_batch_size(4), ConfigError);
  CHECK(data.limits().train_batches == 3);
}
