#include "troupe/runtime/module/load_weights.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "tests/support/files.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/checkpoint_import.h"

using namespace troupe;

namespace {

const std::filesystem::path kGolden = testing::golden_dir() / "interchange";

/// As make_files.py has it.
torch::nn::Sequential peer_module() {
  return torch::nn::Sequential(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4));
}

double element(const torch::nn::Module& module, const std::string& name, int64_t index) {
  const auto parameters = module.named_parameters();
  const auto buffers = module.named_buffers();
  const auto* parameter = parameters.find(name);
  const at::Tensor& tensor = parameter != nullptr ? *parameter : buffers[name];
  return tensor.flatten()[index].item<double>();
}

/// The n-th tensor of the module in make_files.py counts from 100 * n on.
void check_loaded(const torch::nn::Module& module) {
  CHECK(element(module, "0.weight", 11) == 11);
  CHECK(element(module, "0.bias", 3) == 103);
  CHECK(element(module, "1.weight", 0) == 200);
  CHECK(element(module, "1.bias", 1) == 301);
  CHECK(element(module, "1.running_mean", 2) == 402);
  CHECK(element(module, "1.running_var", 3) == 503);
  CHECK(element(module, "1.num_batches_tracked", 0) == 600);
}

}  // namespace

TEST_CASE("weights that Python saved load by name, from the file itself and from the checkpoint that an import made") {
  const TemporaryFolder folder;
  const auto imported = folder.path() / "imported.ckpt";
  import_checkpoint(kGolden / "module.safetensors", imported, Existing::kRefuse);
  for (const auto& file : {kGolden / "module.safetensors", kGolden / "module.pt", kGolden / "module.npz", imported}) {
    CAPTURE(file.string());
    auto module = peer_module();
    const auto loaded = load_weights(*module, file);
    CHECK(loaded.complete());
    CHECK(loaded.loaded.size() == 7);
    check_loaded(*module);
  }
}

TEST_CASE("weights that do not fit are an error with every name, and nothing is changed") {
  torch::nn::Sequential module(torch::nn::Linear(3, 5), torch::nn::BatchNorm1d(4), torch::nn::Linear(2, 1));
  module->to(torch::kFloat32);
  module[1]->to(torch::kFloat64);
  const auto before = element(*module, "0.weight", 0);
  CHECK_THROWS_WITH_AS(
      load_weights(*module, kGolden / "module.safetensors"),
      doctest::Contains("missing in the file: 2.weight, 2.bias; of another shape or dtype: "
                        "0.weight (file [4, 3] float32, module [5, 3] float32), 0.bias (file [4] float32, module [5] "
                        "float32), 1.weight (file [4] float32, module [4] float64), 1.bias"),
      MismatchError);
  CHECK(element(*module, "0.weight", 0) == before);
  CHECK(element(*module, "1.weight", 0) == 1);
  torch::nn::Sequential smaller{torch::nn::Linear(3, 4)};
  CHECK_THROWS_WITH_AS(load_weights(*smaller, kGolden / "module.safetensors"),
                       doctest::Contains("not in the module: 1.bias, 1.num_batches_tracked, 1.running_mean"),
                       MismatchError);
}

TEST_CASE("names in the text of what was loaded do nothing to a terminal") {
  const LoadedWeights loaded{.loaded = {}, .missing = {}, .unexpected = {"\x1b[2J"}, .mismatched = {}};
  CHECK(loaded.text() == "not in the module: ?[2J");
}

TEST_CASE("what fits is loaded where that is asked for, and the rest is named") {
  torch::nn::Sequential module(torch::nn::Linear(3, 5), torch::nn::BatchNorm1d(4), torch::nn::Linear(2, 1));
  const auto loaded = load_weights(*module, kGolden / "module.safetensors", {.strict = false});
  CHECK(loaded.loaded.size() == 5);
  CHECK((loaded.missing == std::vector<std::string>{"2.weight", "2.bias"}));
  CHECK(loaded.mismatched.size() == 2);
  CHECK(loaded.unexpected.empty());
  CHECK(element(*module, "1.running_var", 3) == 503);
}

TEST_CASE("elements of another type are converted where that is asked for") {
  auto module = peer_module();
  module->to(torch::kFloat64);
  load_weights(*module, kGolden / "module.safetensors", {.convert_dtypes = true});
  check_loaded(*module);
  CHECK((module->parameters()[0].scalar_type() == torch::kFloat64));
}

TEST_CASE("a prefix picks a part of another model") {
  torch::nn::BatchNorm1d norm(4);
  CHECK(load_weights(*norm, kGolden / "module.safetensors", {.prefix = "1."}).loaded.size() == 5);
  CHECK(element(*norm, "running_var", 3) == 503);
  CHECK_THROWS_WITH_AS(load_weights(*norm, kGolden / "module.safetensors", {.prefix = "2.", .strict = false}),
                       doctest::Contains("with prefix '2.': missing in the file: weight, bias"), MismatchError);
}
