#include "troupe/runtime/module/tensor_bytes.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// What Training says of a module with this buffer.
std::string refusal(const std::string& name, const at::Tensor& buffer) {
  SmallModule module;
  module.register_buffer(name, buffer);
  try {
    Training training(module, 0);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "it was taken";
}

}  // namespace

TEST_CASE("a module that no checkpoint could hold is refused when the fit starts, and the tensor is named") {
  CHECK(refusal("spectrum", torch::zeros({2}, torch::kComplexFloat)) ==
        "checkpoint: tensor 'module.spectrum' is of dtype ComplexFloat, which the format does not have");
  CHECK(refusal("far", torch::empty({2}, torch::device(torch::kMeta))) ==
        "fit: the module's tensor 'far' is on the device meta; supported are the CPU and CUDA devices");
  CHECK(refusal("sparse", torch::zeros({2, 2}).to_sparse()) ==
        "fit: the module's tensor 'sparse' is sparse: a checkpoint holds dense ones only");
  CHECK(refusal("\xff", torch::zeros({2})) ==
        "fit: the module's '?' has a name that is not UTF-8: a checkpoint cannot keep it; register it by another one");
  CHECK(refusal("fine", torch::zeros({2}, torch::kBool)) == "it was taken");
}

TEST_CASE("a snapshot's state moves into the checkpoint, of weights alone only the module's part of it") {
  SmallModule module;
  Training training(module, 7);
  const auto snapshot = training.capture(/*weights_only=*/false);
  CheckpointParts parts;
  add_snapshot(*snapshot, parts);
  CHECK(parts.training_state.seed() == 7);
  CHECK_FALSE(parts.header.has_module_state());
  CHECK(snapshot->state.seed() == 0);

  StateDict added;
  added.set("words", 3);
  const auto weights = training.capture(/*weights_only=*/true);
  *weights->state.mutable_module_state() = added.proto();
  CheckpointParts of_weights;
  of_weights.header.set_weights_only(true);
  add_snapshot(*weights, of_weights);
  CHECK(StateDict(of_weights.header.module_state()).get_int("words") == 3);
  CheckpointData data;
  data.header = of_weights.header;
  CHECK(StateDict(to_snapshot(data).state.module_state()).get_int("words") == 3);
}
