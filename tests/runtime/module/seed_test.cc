#include "troupe/runtime/module/seed.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/random_key.h"

using namespace troupe;

TEST_CASE("seed_everything makes what the default generator gives a function of the seed") {
  seed_everything(5);
  const auto first = torch::rand({4});
  seed_everything(5);
  CHECK(torch::rand({4}).equal(first));
  seed_everything(6);
  CHECK_FALSE(torch::rand({4}).equal(first));
}

TEST_CASE("the default generator goes on from a state that was put back") {
  seed_everything(5);
  torch::randn({3});  // An odd number: the generator holds the second value of a pair.
  const auto state = default_rng_state();
  const auto uniform = torch::rand({4});
  const auto normal = torch::randn({3});
  set_default_rng_state(state);
  CHECK(torch::rand({4}).equal(uniform));
  CHECK(torch::randn({3}).equal(normal));
}

TEST_CASE("what is no generator state is refused") {
  CHECK_THROWS_AS(set_default_rng_state(torch::zeros({16}, torch::kByte)), MismatchError);
}

TEST_CASE("random_key depends on every part, on their order and on their number") {
  CHECK(random_key(1, 2, 3) == random_key(1, 2, 3));
  CHECK(random_key(1, 2, 3) != random_key(1, 3, 2));
  CHECK(random_key(1, 2, 3) != random_key(2, 2, 3));
  CHECK(random_key(1, 2) != random_key(1, 2, 0));
  CHECK(random_key(0, 0) != 0);
}
