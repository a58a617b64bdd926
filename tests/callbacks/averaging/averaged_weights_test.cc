#include "troupe/callbacks/averaging/averaged_weights.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Half of each.
void take_middle(at::Tensor& average, const at::Tensor& value, int64_t /*updates*/) {
  average.add_(value).div_(2);
}

void fill(torch::nn::Module& module, double value) {
  const torch::NoGradGuard no_grad;
  for (auto& tensor : named_state(module)) {
    tensor.tensor.fill_(value);
  }
}

bool all_are(const at::Tensor& tensor, double value) {
  return tensor.eq(value).all().item<bool>();
}

}  // namespace

TEST_CASE("parameters are combined, integers are the latest, buffers as asked for") {
  for (const bool use_buffers : {true, false}) {
    CAPTURE(use_buffers);
    torch::nn::BatchNorm1d norm(2);
    AveragedWeights average;
    CHECK_FALSE(average.bind(*norm));
    fill(*norm, 2);
    average.update(use_buffers, take_middle);
    fill(*norm, 4);
    average.update(use_buffers, take_middle);
    CHECK(average.updates() == 2);
    fill(*norm, 100);
    average.swap();
    CHECK(average.swapped());
    CHECK(all_are(norm->weight, 3));
    CHECK(all_are(norm->bias, 3));
    CHECK(all_are(norm->running_mean, use_buffers ? 3 : 4));
    CHECK(all_are(norm->num_batches_tracked, 4));
    CHECK(norm->weight.requires_grad());
    average.swap();
    CHECK(all_are(norm->weight, 100));
    CHECK(all_are(norm->running_mean, 100));
    CHECK(all_are(norm->num_batches_tracked, 100));
  }
}

TEST_CASE("an average goes on in another module from its state, swapped as it was") {
  torch::nn::BatchNorm1d norm(2);
  AveragedWeights average;
  average.bind(*norm);
  fill(*norm, 2);
  average.update(true, take_middle);
  fill(*norm, 6);
  average.swap();

  AveragedWeights restored;
  restored.load_state_dict(StateDict(average.state_dict().proto()));
  torch::nn::BatchNorm1d other(2);
  fill(*other, 2);  // As its checkpoint has it.
  CHECK(restored.bind(*other));
  CHECK(restored.swapped());
  CHECK(restored.updates() == 1);
  restored.swap();
  CHECK(all_are(other->weight, 6));
  CHECK(all_are(other->num_batches_tracked, 6));

  SUBCASE("and does not go on when it is bound again without one") {
    CHECK_FALSE(restored.bind(*other));
    CHECK(restored.updates() == 0);
  }
}

TEST_CASE("the average of another model is refused") {
  torch::nn::BatchNorm1d norm(2);
  AveragedWeights average;
  average.bind(*norm);
  average.update(true, take_middle);
  AveragedWeights restored;
  restored.load_state_dict(average.state_dict());
  torch::nn::BatchNorm1d wider(3);
  CHECK_THROWS_WITH_AS(restored.bind(*wider), doctest::Contains("running_mean"), MismatchError);
}
