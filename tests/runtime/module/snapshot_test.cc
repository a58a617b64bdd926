#include "troupe/runtime/module/snapshot.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <set>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/module/tensor_copies.h"

using namespace troupe;

namespace {

std::set<const void*> memory_of(const Snapshot& snapshot) {
  std::set<const void*> memory;
  for (const auto& named : snapshot.tensors) {
    memory.insert(named.tensor.data_ptr());
  }
  return memory;
}

void capture(Snapshot& snapshot, const std::vector<NamedTensor>& tensors) {
  TensorCopies copies(snapshot);
  for (const auto& named : tensors) {
    copies.add(named.name, named.tensor);
  }
}

/// Keeps something that is neither a parameter nor a buffer.
class CountingModule : public SmallModule {
 public:
  void on_save_checkpoint(StateDict& state) override { state.set("seen", seen); }
  void on_load_checkpoint(const StateDict& state) override { seen = state.empty() ? -1 : state.get_int("seen"); }
  int64_t seen = 0;
};

}  // namespace

TEST_CASE("a snapshot is filled again in the same memory") {
  Snapshot snapshot;
  const auto values = torch::arange(6.0);
  capture(snapshot, {{"a", values}, {"b", torch::ones({2, 3}, torch::kLong)}});
  const auto memory = memory_of(snapshot);
  capture(snapshot, {{"a", values + 1}, {"b", torch::zeros({2, 3}, torch::kLong)}});
  CHECK(memory_of(snapshot) == memory);
  CHECK(torch::equal(snapshot.tensors[0].tensor, values + 1));
  CHECK(torch::equal(snapshot.tensors[1].tensor, torch::zeros({2, 3}, torch::kLong)));
}

TEST_CASE("a tensor of another shape or dtype gets memory of its own") {
  Snapshot snapshot;
  capture(snapshot, {{"a", torch::ones({2})}});
  capture(snapshot, {{"a", torch::ones({3})}});
  CHECK(torch::equal(snapshot.tensors[0].tensor, torch::ones({3})));
  capture(snapshot, {{"a", torch::ones({3}, torch::kDouble)}});
  CHECK((snapshot.tensors[0].tensor.scalar_type() == torch::kDouble));
}

TEST_CASE("what is left out once keeps its memory for the next time") {
  Snapshot snapshot;
  capture(snapshot, {{"a", torch::ones({2})}, {"gradient", torch::ones({2})}});
  const auto memory = memory_of(snapshot);
  capture(snapshot, {{"a", torch::ones({2})}});
  CHECK(snapshot.tensors.size() == 1);
  capture(snapshot, {{"a", torch::ones({2})}, {"gradient", torch::ones({2})}});
  CHECK(memory_of(snapshot) == memory);
}

TEST_CASE("a tensor that is not contiguous is copied row by row") {
  Snapshot snapshot;
  const auto columns = torch::arange(6.0).reshape({2, 3}).t();
  for (int round = 0; round < 2; ++round) {
    capture(snapshot, {{"a", columns}});
    CHECK(snapshot.tensors[0].tensor.is_contiguous());
    CHECK(torch::equal(snapshot.tensors[0].tensor, columns));
  }
}

TEST_CASE("a snapshot that somebody holds is not filled again") {
  SmallModule module;
  Training training(module, 0);
  const auto first = training.capture(/*weights_only=*/false);
  const auto before = first->tensors[0].tensor.clone();
  {
    const torch::NoGradGuard no_grad;
    module.parameters()[0].add_(1);
  }
  auto second = training.capture(/*weights_only=*/false);
  CHECK(first != second);
  CHECK(torch::equal(first->tensors[0].tensor, before));
  auto third = training.capture(/*weights_only=*/false);  // Both shadows are held.
  CHECK(memory_of(*third) != memory_of(*first));
  const auto* freed = second.get();
  second.reset();
  CHECK(training.capture(/*weights_only=*/true).get() == freed);
}

TEST_CASE("a snapshot of weights alone has nothing left of what its memory held before") {
  SmallModule module;
  Training training(module, 0);
  training.capture(/*weights_only=*/false);
  const auto weights = training.capture(/*weights_only=*/true);
  CHECK(weights->state.optimizers_size() == 0);
  CHECK(find_tensor(weights->tensors, "rng.cpu") == nullptr);
}

TEST_CASE("the memory of both shadows is there before the first capture") {
  SmallModule module;
  Training training(module, 0);
  training.prepare_shadows();
  std::set<const void*> prepared;
  {
    const auto first = training.capture(/*weights_only=*/true);
    const auto second = training.capture(/*weights_only=*/true);
    for (const auto& shadow : {first, second}) {
      for (const auto& named : shadow->spare) {
        prepared.insert(named.tensor.data_ptr());
      }
      const auto held = memory_of(*shadow);
      prepared.insert(held.begin(), held.end());
    }
  }
  module.parameters()[0].mutable_grad() = torch::ones_like(module.parameters()[0]);
  training.optimizer_step();  // Adam has a state of the parameters with a gradient from here on.
  const auto first = training.capture(/*weights_only=*/false);
  const auto second = training.capture(/*weights_only=*/false);
  for (const auto& shadow : {first, second}) {
    CHECK(find_tensor(shadow->tensors, "optimizer.0.backbone.0.weight.exp_avg") != nullptr);
    for (const auto& named : shadow->tensors) {
      CAPTURE(named.name);
      CHECK((named.name == "rng.cpu" || prepared.contains(named.tensor.data_ptr())));
    }
  }
}

TEST_CASE("preparing the shadows asks neither the module nor the data module for its state") {
  struct Asked : SmallModule {
    void on_save_checkpoint(StateDict& /*state*/) override { FAIL("it was asked"); }
  } module;
  Training training(module, 0);
  training.set_data_state([]() -> StateDict { throw std::runtime_error("it was asked"); });
  training.prepare_shadows();
}

TEST_CASE("a frozen parameter gets no memory for a state that it will not have") {
  SmallModule module;
  module.parameters()[0].set_requires_grad(false);
  Training training(module, 0);
  training.prepare_shadows();
  const auto weights = training.capture(/*weights_only=*/true);
  CHECK(find_tensor(weights->spare, "optimizer.0.backbone.0.weight.exp_avg") == nullptr);
  CHECK(find_tensor(weights->spare, "optimizer.0.head.weight.exp_avg") != nullptr);
}

TEST_CASE("what the module and the data module add comes back to them") {
  CountingModule module;
  module.seen = 7;
  Training training(module, 0);
  training.set_data_state([] {
    StateDict state;
    state.set("shard", 3);
    return state;
  });
  const auto snapshot = training.capture(/*weights_only=*/false);
  CHECK(StateDict(snapshot->state.data_state()).get_int("shard") == 3);
  module.seen = 0;
  training.restore(*snapshot);
  CHECK(module.seen == 7);
}
