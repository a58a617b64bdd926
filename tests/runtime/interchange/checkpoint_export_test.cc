#include "troupe/runtime/interchange/checkpoint_export.h"

#include <doctest/doctest.h>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/golden_weights.h"
#include "tests/support/mutilated_file.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/checkpoint_import.h"

using namespace troupe;

namespace {

struct Exchange {
  TemporaryFolder folder;
  std::filesystem::path checkpoint = folder.path() / "c.ckpt";
  std::filesystem::path output = folder.path() / "out";
  SmallCheckpoint small;

  Exchange() { write_checkpoint(checkpoint, small.parts); }

  auto files() const { return folder_content(folder.path()); }
};

}  // namespace

TEST_CASE_FIXTURE(Exchange, "an export holds the weights by the module's names, or all tensors by the checkpoint's") {
  CHECK(export_checkpoint(checkpoint, output, {}).tensors == 2);
  const WeightsFile weights(output);
  CHECK(weights.tensors().size() == 2);
  check_tensor(weights.tensors(), "weight", "float32", {2, 3}, {1, -2, 0.5, 0.25, 3, -0.125});
  check_tensor(weights.tensors(), "empty", "float32", {0, 3}, {});
  export_checkpoint(checkpoint, output, {.existing = Existing::kReplace, .what = ExportedTensors::kAll});
  const WeightsFile all(output);
  CHECK(all.tensors().size() == 3);
  check_tensor(all.tensors(), "rng.cpu", "uint8", {3}, {1, 2, 3});
  CHECK(files().size() == 2);  // No temporary file is left.
}

TEST_CASE_FIXTURE(Exchange,
                  "what an import writes is a checkpoint of weights only that exports to the same file again") {
  const auto golden = kGoldenInterchange / "types.safetensors";
  const auto imported = import_checkpoint(golden, output, Existing::kRefuse);
  CHECK(imported.format == "safetensors");
  CHECK(imported.tensors == 13);
  CHECK(verify_checkpoint(output).sound());
  const auto header = read_checkpoint_header(output);
  CHECK(header.weights_only());
  CHECK(header.imported_from() == "types.safetensors");
  check_all_types(WeightsFile(output).tensors());
  export_checkpoint(output, folder.path() / "again", {});
  check_all_types(WeightsFile(folder.path() / "again").tensors());
}

TEST_CASE_FIXTURE(Exchange, "every format holds every tensor, but npz no bfloat16") {
  import_checkpoint(kGoldenInterchange / "types.pt", output, Existing::kRefuse);
  const auto again = folder.path() / "again";
  for (const auto format : {ExportFormat::kSafetensors, ExportFormat::kTorch}) {
    export_checkpoint(output, again, {.existing = Existing::kReplace, .format = format});
    check_all_types(WeightsFile(again).tensors());
  }
  CHECK_THROWS_WITH_AS(export_checkpoint(output, folder.path() / "npz", {.format = ExportFormat::kNpz}),
                       doctest::Contains("tensor 'bfloat16' is of dtype bfloat16, which NumPy does not have"),
                       ConfigError);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "npz"));
  import_checkpoint(kGoldenInterchange / "types.npz", output, Existing::kReplace);
  export_checkpoint(output, again, {.existing = Existing::kReplace, .format = ExportFormat::kNpz});
  CHECK(WeightsFile(again).format() == "npz");
  check_all_types(WeightsFile(again).tensors(), /*with_bfloat16=*/false);
}

TEST_CASE_FIXTURE(Exchange, "a file that is there is neither exported nor imported over unless asked to") {
  overwrite_file(output, "mine");
  CHECK_THROWS_WITH_AS(export_checkpoint(checkpoint, output, {}),
                       ("write " + output.string() + ": it is there already").c_str(), ConfigError);
  CHECK_THROWS_AS(import_checkpoint(kGoldenInterchange / "types.safetensors", output, Existing::kRefuse), ConfigError);
  CHECK_THROWS_WITH_AS(export_checkpoint(checkpoint, checkpoint, {.existing = Existing::kReplace}),
                       doctest::Contains("it is the file that is read"), ConfigError);
  CHECK(read_file(output) == "mine");
  CHECK(files().size() == 2);
}

TEST_CASE_FIXTURE(Exchange, "a file is not imported over itself, by whatever name") {
  const auto file = folder.path() / "types.safetensors";
  std::filesystem::copy_file(kGoldenInterchange / "types.safetensors", file);
  std::filesystem::create_hard_link(file, output);
  for (const auto& name : {file, folder.path() / "." / "types.safetensors", output}) {
    CHECK_THROWS_WITH_AS(import_checkpoint(file, name, Existing::kReplace),
                         doctest::Contains("it is the file that is read"), ConfigError);
  }
  CHECK(WeightsFile(file).format() == "safetensors");
}

TEST_CASE_FIXTURE(Exchange, "an export never writes through a link that stands where its temporary file will") {
  const auto victim = folder.path() / "victim";
  overwrite_file(victim, "mine");
  std::filesystem::create_symlink(victim, temporary_name(output));
  export_checkpoint(checkpoint, output, {});
  CHECK(read_file(victim) == "mine");
  CHECK_FALSE(std::filesystem::is_symlink(output));
  CHECK(WeightsFile(output).tensors().size() == 2);
}

TEST_CASE_FIXTURE(Exchange, "exports and imports make the folders of their output") {
  export_checkpoint(checkpoint, folder.path() / "x/y/out", {});
  import_checkpoint(folder.path() / "x/y/out", folder.path() / "z/again.ckpt", Existing::kRefuse);
  CHECK(verify_checkpoint(folder.path() / "z/again.ckpt").sound());
}

TEST_CASE_FIXTURE(Exchange, "a checkpoint without tensors to export is refused, with what was asked for") {
  small.parts.tensors.resize(0);
  write_checkpoint(checkpoint, small.parts);
  CHECK_THROWS_WITH_AS(export_checkpoint(checkpoint, output, {}),
                       doctest::Contains("it has no tensor of a module to export"), ConfigError);
  CHECK_THROWS_WITH_AS(export_checkpoint(checkpoint, output, {.what = ExportedTensors::kAll}),
                       doctest::Contains("it has no tensor to export"), ConfigError);
}

TEST_CASE_FIXTURE(Exchange, "a file with any name imports to a checkpoint that can be read") {
  const auto file = folder.path() / "caf\xe9.safetensors";
  std::filesystem::copy_file(kGoldenInterchange / "types.safetensors", file);
  import_checkpoint(file, output, Existing::kRefuse);
  CHECK(read_checkpoint(output).header.imported_from() == "caf?.safetensors");
}

TEST_CASE_FIXTURE(Exchange, "a checkpoint that is damaged anywhere gives an error and no file") {
  const std::string content = read_file(checkpoint);
  const auto no_file = [](const auto& path) {
    const auto target = path.parent_path() / "out";
    CHECK(refusal(path, [&](const auto& damaged) { export_checkpoint(damaged, target, {}); }) != "");
    CHECK_FALSE(std::filesystem::exists(target));
  };
  for_each_cut(content, no_file);
  for_each_flip(content, no_file);
}

TEST_CASE_FIXTURE(Exchange, "an import that fails leaves nothing") {
  overwrite_file(folder.path() / "bad", "not a file of tensors");
  CHECK_THROWS_WITH_AS(import_checkpoint(folder.path() / "bad", output, Existing::kRefuse),
                       doctest::Contains("its first bytes are those of none of"), CorruptionError);
  CHECK_THROWS_WITH_AS(import_checkpoint(checkpoint, output, Existing::kRefuse),
                       doctest::Contains("it is a Troupe checkpoint already"), ConfigError);
  std::filesystem::resize_file(checkpoint, 100);  // It is refused before it is read.
  CHECK_THROWS_WITH_AS(import_checkpoint(checkpoint, output, Existing::kRefuse),
                       doctest::Contains("it is a Troupe checkpoint already"), ConfigError);
  CHECK_THROWS_AS(import_checkpoint(folder.path(), output, Existing::kRefuse), IoError);
  CHECK(files().size() == 2);
}

TEST_CASE_FIXTURE(Exchange, "tensors of many chunks and of every size of element are exported whole") {
  std::vector<float> large(kChunkBytesMax / 4 * 2 + 3);
  for (size_t i = 0; i < large.size(); ++i) {
    large[i] = static_cast<float>(i % 4096);
  }
  const std::vector<uint8_t> odd{9, 8, 7};
  small.parts.tensors.insert(
      small.parts.tensors.begin(),
      {{"module.odd", v1::DTYPE_UINT8, {3}, std::as_bytes(std::span(odd))},
       {"module.large", v1::DTYPE_FLOAT32, {static_cast<int64_t>(large.size())}, std::as_bytes(std::span(large))}});
  write_checkpoint(checkpoint, small.parts);
  for (const auto format : {ExportFormat::kSafetensors, ExportFormat::kTorch, ExportFormat::kNpz}) {
    export_checkpoint(checkpoint, output, {.existing = Existing::kReplace, .format = format});
    const WeightsFile weights(output);
    CHECK(text_of(tensor_named(weights.tensors(), "large").bytes) == text_of(std::as_bytes(std::span(large))));
    check_tensor(weights.tensors(), "odd", "uint8", {3}, {9, 8, 7});
    check_tensor(weights.tensors(), "weight", "float32", {2, 3}, {1, -2, 0.5, 0.25, 3, -0.125});
  }
}
