// Runs the built tool as a user would, to compare and convert checkpoints.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/contains.h"
#include "tests/support/files.h"
#include "tests/support/places.h"
#include "tests/support/run_shell.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"

using namespace troupe;

namespace {

struct Checkpoint {
  TemporaryFolder folder;
  std::string file = (folder.path() / "last.ckpt").string();
  std::string golden = (testing::golden_dir() / "interchange").string() + "/";

  Checkpoint() { write_checkpoint(file, SmallCheckpoint().parts); }

  std::string in_folder(const std::string& name) const { return (folder.path() / name).string(); }

  static ShellResult tool(const std::string& arguments) {
    return run_shell(testing::program("troupe") + " checkpoint " + arguments);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Checkpoint, "checkpoint export writes each format, beside the checkpoint if nothing else is said") {
  for (const std::string format : {"safetensors", "torch", "npz"}) {
    CAPTURE(format);
    const auto exported = tool("export " + file + " --format " + format);
    CHECK(exported.status == 0);
    CHECK(contains(exported.output, ": 2 tensors, 24 tensor bytes"));
  }
  for (const char* name : {"last.safetensors", "last.pt", "last.npz"}) {
    CHECK(std::filesystem::exists(in_folder(name)));
  }
  CHECK(contains(tool("export " + file + " --format torch --what all --output " + in_folder("all.pt")).output,
                 "all.pt: 3 tensors, 27 tensor bytes"));
}

TEST_CASE_FIXTURE(Checkpoint, "checkpoint export and import leave a file that is there alone without --force") {
  overwrite_file(in_folder("mine"), "mine");
  for (const std::string& arguments : {"export " + file + " --format npz --output " + in_folder("mine"),
                                       "import " + golden + "types.pt --output " + in_folder("mine")}) {
    const auto refused = tool(arguments);
    CHECK(refused.status == 2);
    CHECK(refused.output == "troupe: write " + in_folder("mine") + ": it is there already; --force replaces it\n");
    CHECK(read_file(in_folder("mine")) == "mine");
    CHECK(tool(arguments + " --force").status == 0);
    CHECK(read_file(in_folder("mine")) != "mine");
    overwrite_file(in_folder("mine"), "mine");
  }
  CHECK(folder_content(folder.path()).size() == 2);
}

TEST_CASE_FIXTURE(Checkpoint, "checkpoint import makes a checkpoint that says where it is from") {
  const std::string output = in_folder("imported.ckpt");
  const auto imported = tool("import " + golden + "types.pt --output " + output);
  CHECK(imported.status == 0);
  CHECK(imported.output == output + ": 13 tensors, 298 tensor bytes, from a file of torch.save\n");
  CHECK(tool("verify " + output).status == 0);
  const auto shown = tool("show " + output);
  CHECK(contains(shown.output, "weights only"));
  CHECK(contains(shown.output, "imported from   types.pt"));
  CHECK(contains(shown.output, "bfloat16  [2, 3]"));
}

TEST_CASE_FIXTURE(Checkpoint, "what cannot be imported is one line that names it, exit status 1, and no file") {
  const std::string output = in_folder("imported.ckpt");
  for (const auto& entry : std::filesystem::directory_iterator(golden + "refused")) {
    CAPTURE(entry.path().string());
    const auto refused = tool("import " + entry.path().string() + " --output " + output);
    CHECK(refused.status == 1);
    CHECK(refused.output.starts_with("troupe: " + entry.path().string() + ": "));
    CHECK(std::count(refused.output.begin(), refused.output.end(), '\n') == 1);
  }
  CHECK(folder_content(folder.path()).size() == 1);
}

TEST_CASE_FIXTURE(Checkpoint, "checkpoint diff says what differs, and exits with 1 if anything does") {
  const std::string other = in_folder("other.ckpt");
  write_checkpoint(other, SmallCheckpoint().parts);
  const auto equal = tool("diff " + file + " " + other);
  CHECK(equal.status == 0);
  CHECK(equal.output == "3 tensors in both, 3 of them equal; 0 values of the state differ: equal\n");
  CHECK(contains(tool("diff --json " + file + " " + other).output, R"({"equal":true,"tensors":3,)"));
  SmallCheckpoint changed;
  changed.weight[0] = 2;
  changed.parts.tensors[1].name = "module.b";
  changed.parts.training_state.mutable_loop()->set_global_step(21);
  write_checkpoint(other, changed.parts);
  const auto different = tool("diff " + file + " " + other);
  CHECK(different.status == 1);
  CHECK(different.output ==
        "tensor  module.empty: float32 [0, 3] | not there\n"
        "tensor  module.b: not there | float32 [0, 3]\n"
        "tensor  module.weight: float32 [2, 3], 1 of 6 elements differ, by at most 1, relative 0.5\n"
        "state   loop.global_step: 20 | 21\n"
        "2 tensors in both, 1 of them equal; 1 values of the state differ: different\n");
  const auto json = tool("diff --json " + file + " " + other);
  CHECK(json.status == 1);
  CHECK(contains(json.output, R"({"name":"module.b","a":null,"b":"float32 [0, 3]"})"));
  CHECK(contains(json.output, R"("elements":6,"differing":1,"max_absolute":1.0,"max_relative":0.5})"));
  CHECK(contains(json.output, R"("state":[{"name":"loop.global_step","a":"20","b":"21"}]})"));
}

TEST_CASE_FIXTURE(Checkpoint, "names from a checkpoint do nothing to the terminal") {
  const std::string other = in_folder("other.ckpt");
  SmallCheckpoint hostile;
  hostile.parts.header.set_run_id("\x1b[2J");
  hostile.parts.tensors[0].name = "module.\x1b[2J";
  hostile.parts.callback_states[0].set_state_key("\x1b[2J");
  write_checkpoint(other, hostile.parts);
  for (const std::string& arguments : {"show " + other, "diff " + file + " " + other}) {
    CAPTURE(arguments);
    const auto shown = tool(arguments);
    CHECK(contains(shown.output, "module.?[2J"));
    CHECK_FALSE(contains(shown.output, "\x1b"));
  }
}

TEST_CASE_FIXTURE(Checkpoint, "damage is named and exits with 1, wrong usage with 2") {
  const std::string cut = in_folder("cut.ckpt");
  std::filesystem::copy_file(file, cut);
  std::filesystem::resize_file(cut, 300);
  CHECK(tool("diff " + file + " " + cut).status == 1);
  CHECK(tool("export " + cut + " --format npz").status == 1);
  CHECK(contains(tool("export " + cut + " --format npz").output, cut + ": the file ends inside a record"));
  CHECK_FALSE(std::filesystem::exists(in_folder("cut.npz")));
  for (const std::string& arguments :
       {"diff " + file, std::string("export"), "export " + file, "export " + file + " --format onnx",
        "export " + file + " --format npz --what gradients", "import " + golden + "types.pt",
        "import " + file + " --output " + in_folder("x"),
        "export " + file + " --format npz --force --output " + file}) {
    CAPTURE(arguments);
    const auto wrong = tool(arguments);
    CHECK(wrong.status == 2);
    CHECK(wrong.output.starts_with("troupe: "));
  }
  CHECK(folder_content(folder.path()).size() == 2);
}

TEST_CASE("help teaches by example for each way to compare and convert") {
  for (const char* command : {"diff", "export", "import"}) {
    const auto help = Checkpoint::tool(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(contains(help.output, "Example"));
  }
}
