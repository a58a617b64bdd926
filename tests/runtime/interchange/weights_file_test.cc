#include "troupe/runtime/interchange/weights_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/golden_weights.h"
#include "tests/support/mutilated_file.h"
#include "troupe/runtime/file/zip_writer.h"

using namespace troupe;

namespace {

/// Name, type, shape and bytes of every tensor.
std::string content(const std::filesystem::path& path) {
  std::string all;
  const WeightsFile file(path);
  for (const auto& tensor : file.tensors()) {
    all.append(tensor.name).append(dtype_names(tensor.dtype).name).append(shape_text(tensor.shape));
    all.append(text_of(tensor.bytes)).append(";");
  }
  return all;
}

}  // namespace

TEST_CASE("a zip of torch.save or NumPy that is cut anywhere is refused") {
  for (const char* name : {"module.pt", "orders.npz"}) {
    CAPTURE(name);
    for_each_cut(read_file(kGoldenInterchange / name),
                 [](const auto& path) { CHECK(refusal(path, [](const auto& cut) { content(cut); }) != ""); });
  }
}

TEST_CASE("a zip of torch.save or NumPy with a flipped bit is refused, or reads to the same weights") {
  for (const char* name : {"views.pt", "orders.npz"}) {
    CAPTURE(name);
    const std::string sound = content(kGoldenInterchange / name);
    for_each_flip(read_file(kGoldenInterchange / name), [&](const auto& path) {
      std::string read = sound;
      refusal(path, [&](const auto& flipped) { read = content(flipped); });
      CHECK((read == sound));
    });
  }
}

TEST_CASE("a checkpoint gives the weights in it, by the module's names") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path() / "c.ckpt", SmallCheckpoint().parts);
  const WeightsFile file(folder.path() / "c.ckpt");
  CHECK(file.format() == "Troupe checkpoint");
  CHECK(file.tensors().size() == 2);
  check_tensor(file.tensors(), "weight", "float32", {2, 3}, {1, -2, 0.5, 0.25, 3, -0.125});
}

TEST_CASE("a file of no known format is refused, with those that are known") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& written) {
    overwrite_file(folder.path() / "x", written);
    return refusal(folder.path() / "x", [](const auto& path) { content(path); });
  };
  CHECK(refused("").find("none of: a Troupe checkpoint, safetensors, torch.save, npz") != std::string::npos);
  CHECK(refused("GGUF").find("none of: a Troupe checkpoint") != std::string::npos);
  CHECK(refused("PK\3\4").find("not a zip archive that can be read") != std::string::npos);
  CHECK_THROWS_AS(content(folder.path() / "missing"), IoError);
  CHECK_THROWS_WITH_AS(content(folder.path()), doctest::Contains("it is not a regular file"), IoError);
  REQUIRE(::mkfifo((folder.path() / "fifo").c_str(), 0600) == 0);  // Nobody writes to it.
  CHECK_THROWS_WITH_AS(content(folder.path() / "fifo"), doctest::Contains("it is not a regular file"), IoError);
  {
    WholeFile file(folder.path() / "zip", Existing::kRefuse);
    ZipWriter zip(file);
    zip.add_whole("readme.txt", bytes_of("hello"));
    zip.finish();
    file.commit();
  }
  CHECK_THROWS_WITH_AS(content(folder.path() / "zip"), doctest::Contains("with neither data.pkl"), CorruptionError);
}
