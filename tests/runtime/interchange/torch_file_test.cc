#include "troupe/runtime/interchange/torch_file.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/golden_weights.h"
#include "tests/support/mutilated_file.h"
#include "troupe/runtime/file/zip_writer.h"

using namespace troupe;

namespace {

std::string u32(size_t value) {
  std::string bytes(4, '\0');
  store_integer(reinterpret_cast<std::byte*>(bytes.data()), static_cast<uint32_t>(value));
  return bytes;
}

std::string text(const std::string& value) {
  return "X" + u32(value.size()) + value;
}

std::string tuple(const std::vector<int>& numbers) {
  std::string opcodes = "(";
  for (const int number : numbers) {
    opcodes.append("J").append(u32(static_cast<size_t>(number)));
  }
  return opcodes + "t";
}

struct Tensor {
  int offset = 0;
  std::vector<int> shape{2};
  std::vector<int> strides{1};
  int storage_elements = 4;
  std::string key = "0";
  std::string metadata = {};
};

/// A pickled tensor of float32.
std::string pickled(const Tensor& tensor) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\nFloatStorage\n" + text(tensor.key) +
         text("cpu") + "J" + u32(static_cast<size_t>(tensor.storage_elements)) + "tQJ" +
         u32(static_cast<size_t>(tensor.offset)) + tuple(tensor.shape) + tuple(tensor.strides) + "\x89}" +
         tensor.metadata + "tR";
}

std::string dict(const std::string& name, const std::string& value) {
  return "}" + text(name) + value + "s";
}

/// A dict that shows one tensor under so many names.
std::string many_of(const Tensor& tensor, int count) {
  std::string opcodes = "}(" + text("first") + pickled(tensor) + "q\1";
  for (int i = 1; i < count; ++i) {
    opcodes += text(std::to_string(i)) + "h\1";
  }
  return opcodes + "u";
}

/// What reading a file says that holds this pickle and this storage.
std::string reading(const std::string& pickle, const std::string& byteorder = "little",
                    const std::function<void(const WeightsFile&)>& check = nullptr,
                    const std::vector<float>& storage = {0, 1, 2, 3}) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.pt";
  WholeFile file(path, Existing::kRefuse);
  ZipWriter zip(file);
  zip.add_whole("x/data.pkl", bytes_of("\x80\x02" + pickle + "."));
  zip.add_whole("x/byteorder", bytes_of(byteorder));
  zip.add_whole("x/data/0", std::as_bytes(std::span(storage)));
  zip.finish();
  file.commit();
  return refusal(path, [&](const auto& written) {
    const WeightsFile weights(written);
    if (check) {
      check(weights);
    }
  });
}

std::string torch_refusal(const Tensor& tensor) {
  return reading(dict("a", pickled(tensor)));
}

std::vector<double> values_in(const Tensor& tensor) {
  std::vector<double> values;
  const auto refused = reading(dict("a", pickled(tensor)), "little",
                               [&](const WeightsFile& file) { values = values_of(tensor_named(file.tensors(), "a")); });
  CHECK(refused == "");
  return values;
}

std::vector<double> counted(double first, size_t count) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(first + static_cast<double>(i));
  }
  return values;
}

/// The n-th tensor of the module in make_files.py counts from 100 * n on.
void check_module(const WeightsFile& file, const std::string& prefix) {
  CHECK(file.format() == "torch.save");
  CHECK(file.tensors().size() == 7);
  check_tensor(file.tensors(), prefix + "0.weight", "float32", {4, 3}, counted(0, 12));
  check_tensor(file.tensors(), prefix + "0.bias", "float32", {4}, counted(100, 4));
  check_tensor(file.tensors(), prefix + "1.running_var", "float32", {4}, counted(500, 4));
  check_tensor(file.tensors(), prefix + "1.num_batches_tracked", "int64", {}, {600});
}

}  // namespace

TEST_CASE("a state_dict that torch.save wrote reads to its names, types, shapes and values") {
  check_all_types(WeightsFile(kGoldenInterchange / "types.pt").tensors());
  check_module(WeightsFile(kGoldenInterchange / "module.pt"), "");
  const WeightsFile parameters(kGoldenInterchange / "parameters.pt");
  CHECK(parameters.tensors().size() == 4);
  check_tensor(parameters.tensors(), "1.bias", "float32", {4}, counted(300, 4));
}

TEST_CASE("the state_dict in a checkpoint of Lightning's is read") {
  check_module(WeightsFile(kGoldenInterchange / "lightning.pt"), "model.");
}

TEST_CASE("views, strides and storages in common read to what each tensor shows") {
  const WeightsFile views(kGoldenInterchange / "views.pt");
  CHECK(views.tensors().size() == 6);
  check_tensor(views.tensors(), "whole", "float32", {3, 4}, counted(0, 12));
  check_tensor(views.tensors(), "tied", "float32", {3, 4}, counted(0, 12));
  check_tensor(views.tensors(), "row", "float32", {4}, {4, 5, 6, 7});
  check_tensor(views.tensors(), "column", "float32", {3}, {2, 6, 10});
  check_tensor(views.tensors(), "transposed", "float32", {4, 3}, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
  check_tensor(views.tensors(), "every_other", "float32", {2, 2}, {1, 3, 9, 11});
  const WeightsFile channels_last(kGoldenInterchange / "channels_last.pt");
  check_tensor(channels_last.tensors(), "image", "int16", {1, 2, 3, 4}, counted(0, 24));
}

TEST_CASE("what torch.save writes beside dense tensors is refused by name") {
  const auto refused = [](const char* file) {
    return refusal(kGoldenInterchange / "refused" / file, [](const auto& path) { WeightsFile weights(path); });
  };
  CHECK(contains(refused("module_object.pt"),
                 "the global 'torch.nn.modules.container.Sequential', which is not allowed"));
  CHECK(contains(refused("expanded.pt"), "tensor 'expanded' of shape [5] has more elements than its storage"));
  CHECK(contains(refused("complex.pt"), "the global 'torch.ComplexFloatStorage'"));
  CHECK(contains(refused("nested.pt"), "the entry 'nested' is a dict; allowed are dense tensors"));
  CHECK(contains(refused("number.pt"), "the entry 'number' is an int; allowed are dense tensors"));
  CHECK(contains(refused("tensor.pt"), "it holds a call of torch._utils._rebuild_tensor_v2; allowed is a state_dict"));
  CHECK(contains(refused("legacy.pt"), "torch.save's old format"));
  CHECK(contains(refused("sparse.pt"), "the global 'torch._utils._rebuild_sparse_tensor'"));
}

TEST_CASE("a tensor may not reach beyond its storage, nor a storage beyond the file") {
  CHECK(values_in({.offset = 1, .shape = {3}}) == std::vector<double>{1, 2, 3});
  CHECK(values_in({.shape = {2, 2}, .strides = {1, 2}}) == std::vector<double>{0, 2, 1, 3});
  CHECK(values_in({.shape = {0, 7}, .strides = {1, 1}}).empty());
  CHECK(values_in({.shape = {}, .strides = {}}) == std::vector<double>{0});
  CHECK(contains(torch_refusal({.offset = 1, .shape = {4}}),
                 "tensor 'a' of shape [4] and strides [1] reaches beyond its storage of 4"));
  CHECK(contains(torch_refusal({.offset = -1}), "reaches beyond"));
  CHECK(contains(torch_refusal({.offset = 3, .strides = {-1}}), "reaches beyond"));
  CHECK(contains(torch_refusal({.shape = {2, 2}}), "which do not fit each other"));
  CHECK(contains(torch_refusal({.shape = {-2}}), "which do not fit each other or cannot be counted"));
  CHECK(contains(torch_refusal({.shape = {5}, .strides = {0}}), "an expanded tensor"));
  CHECK(contains(torch_refusal({.storage_elements = 5}), "a storage of 5 elements, but 16 bytes are there"));
  CHECK(contains(torch_refusal({.storage_elements = -1}), "a storage of -1 elements"));
  CHECK(contains(torch_refusal({.key = "1"}), "of torch.FloatStorage '1', which is not in the file"));
  CHECK(contains(torch_refusal({.metadata = "}"}), "bits that change what its elements mean"));
}

TEST_CASE("tensors that are gathered may not take more memory than the file has bytes") {
  const Tensor transposed{.shape = {2, 2}, .strides = {1, 2}};
  CHECK(reading(many_of(transposed, 5)) == "");
  // 800 bytes would fit; but each tensor takes memory of 64 bytes.
  CHECK(contains(reading(many_of(transposed, 50)),
                 "is not contiguous, and all that are not have more bytes than the file"));
}

TEST_CASE("a storage is shown by as many tensors as a model can have, not by more") {
  const std::vector<float> storage(25600);
  const Tensor whole{.shape = {25600}, .storage_elements = 25600};
  CHECK(reading(many_of(whole, 60), "little", nullptr, storage) == "");
  CHECK(contains(reading(many_of(whole, 100), "little", nullptr, storage),
                 "shares its storage with so many others that all have more than 64 times the bytes of the file"));
}

TEST_CASE("a file has at most 500,000 tensors") {
  CHECK(contains(reading(many_of({.shape = {}, .strides = {}}, 500'001)), "is one too many; at most 500000 are"));
}

TEST_CASE("a tensor has at most 64 dimensions") {
  const std::vector<int> ones(64, 1);
  CHECK(values_in({.shape = ones, .strides = ones}) == std::vector<double>{0});
  const std::vector<int> more(65, 1);
  CHECK(contains(torch_refusal({.shape = more, .strides = more}), "or has more than 64 dimensions"));
}

TEST_CASE("other entries of a state_dict are refused") {
  CHECK(contains(reading("]"), "it holds a list; allowed is a state_dict"));
  CHECK(contains(reading("}K\1Ns"), "a key of the state_dict is an int; allowed are strings"));
  CHECK(contains(reading(dict("a", pickled({})), "big"), "its byte order is 'big'; allowed is 'little'"));
  CHECK(contains(reading("}" + text("a") + pickled({}) + "s" + text("a") + pickled({}) + "s"), "'a' is there twice"));
  // As soon as it is found: many names of one tensor are cheap in a pickle, and nowhere else.
  CHECK(contains(reading("}(" + text("a") + pickled({}) + text("a") + pickled({}) + text("b") + "Nu"), "'a' is there"));
  CHECK(contains(reading(dict("", pickled({}))), "a tensor's name is empty"));
  CHECK(
      contains(reading(dict("a", "ctorch._utils\n_rebuild_tensor_v2\n)R")), "is not rebuilt as torch.save writes it"));
  CHECK(contains(reading("cos\nsystem\n" + text("echo") + "\x85R"), "'os.system', which is not allowed"));
}
