#include "tests/support/source_rules.h"
#include "tests/support/places.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

using namespace troupe;

namespace {

/// A tree of sources, path to text, as it would be in a repository.
std::vector<std::string> check_tree(const std::vector<std::pair<std::string, std::string>>& tree) {
  const TemporaryFolder folder;
  for (const auto& [path, text] : tree) {
    std::filesystem::create_directories((folder.path() / path).parent_path());
    std::ofstream(folder.path() / path) << text;
  }
  return check_sources(folder.path());
}

const std::string kCore = "troupe_add_room(\n  core\n  HEADERS\n  a.h\n  SOURCES\n  a.cc\n  b.cc)\n";
const std::string kHook = "#pragma once\nstruct Hook { void on(const E&); };\n";

std::string header(const std::string& included) {
  return "#pragma once\n#include \"troupe/" + included + "\"\n";
}

}  // namespace

TEST_CASE("the sources keep the rules") {
  std::string broken;
  for (const auto& rule : check_sources(testing::source_root())) {
    broken += rule + "\n";
  }
  CHECK(broken == "");
  CHECK(std::filesystem::exists(testing::source_root() / "runtime/options/options.h"));
}

TEST_CASE("sound sources break no rule") {
  CHECK(check_tree(
            {{"runtime/base/CMakeLists.txt", kCore},
             {"runtime/base/a.h", "#pragma once\n#include <vector>\n"},
             {"runtime/base/a.cc", "#include \"troupe/runtime/base/a.h\"\n#include \"troupe/runtime/base/b.h\"\n"},
             {"runtime/base/b.h", "#pragma once\n#include <troupe/v1/event.pb.h>\n"},
             {"runtime/data/tensor.cc", "#include <torch/torch.h>\n#include \"troupe/runtime/base/a.h\"\n"},
             {"callbacks/stopping/stop.h", kHook},
             {"callbacks/stopping/stop.cc",
              "#include \"troupe/callbacks/stopping/stop.h\"\n#include \"troupe/callbacks/common/format.h\"\n"},
             {"callbacks/common/format.h", "#pragma once\n"},
             {"callbacks/builtin_callbacks.cc", "#include \"troupe/callbacks/stopping/stop.h\"\n"},
             {"actors/trainer.h", header("actors/run/a.h")},
             {"actors/run/a.h", header("callbacks/stopping/stop.h")},
             {"actors/run/a.cc", "#include <caf/actor.hpp>\n#include \"troupe/actors/run/a.h\"\n"},
             {"troupe.h", "#pragma once\n#include <torch/torch.h>\n#include \"troupe/callbacks/stopping/stop.h\"\n"},
             {"examples/toy.h", "#pragma once\n"},
             {"examples/main.cc",
              "#include <troupe/troupe.h>\n#include <troupe/deploy/run.h>\n#include \"examples/toy.h\"\n"},
             {"examples/starter/own.h", "#pragma once\n#include <troupe/troupe.h>\n"},
             {"examples/starter/main.cc", "#include \"own.h\"\n"},
             {"tests/runtime/base/a_test.cc", "#include <caf/actor.hpp>\n#include \"tests/support/b.h\"\n"},
             {"tests/actors/trainer_more_test.cc", "#include \"troupe/actors/trainer.h\"\n"}})
            .empty());
}

TEST_CASE("each rule is seen to be broken, with its file and line") {
  const std::string left_to_do = std::string("// TO") + "DO: later\n";
  const std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::string>> cases = {
      {{{"runtime/base/a.h", "#pragma once\n\n#include \"troupe/callbacks/stopping/stop.h\"\n"}},
       "runtime/base/a.h:3: includes \"callbacks/stopping/stop.h\": includes go from runtime down, never up"},
      {{{"callbacks/common/a.cc", "#include \"troupe/actors/trainer.h\"\n"}},
       "callbacks/common/a.cc:1: includes \"actors/trainer.h\": includes go from callbacks down, never up"},
      {{{"actors/run/a.cc", "#include <troupe/deploy/flags.h>\n"}},
       "actors/run/a.cc:1: includes \"deploy/flags.h\": includes go from actors down, never up"},
      {{{"deploy/a.cc", "#include \"troupe/troupe.h\"\n"}},
       "deploy/a.cc:1: includes \"troupe.h\": includes go from deploy down, never up"},
      {{{"runtime/base/a.cc", "#include \"tests/support/files.h\"\n"}},
       "runtime/base/a.cc:1: includes \"tests/support/files.h\": no product source includes a test"},
      {{{"runtime/base/a.cc", "#include \"runtime/base/b.h\"\n"}},
       "runtime/base/a.cc:1: includes \"runtime/base/b.h\": name it in full, \"troupe/...\""},
      {{{"examples/starter/main.cc", "#include \"examples/toy.h\"\n"}},
       "examples/starter/main.cc:1: includes \"examples/toy.h\", which is not in its folder: it is built where it has "
       "been copied to"},
      {{{"runtime/event/a.cc", "#include \"troupe/runtime/log/b.h\"\n"}},
       "runtime/event/a.cc:1: includes \"runtime/log/b.h\": the room event includes those before it"},
      {{{"actors/mailbox/a.h", header("actors/relay/b.h")}},
       "actors/mailbox/a.h:2: includes \"actors/relay/b.h\": the room mailbox includes those before it"},
      {{{"actors/run/a.h", header("actors/trainer.h")}},
       "actors/run/a.h:2: includes \"actors/trainer.h\": the room run includes those before it"},
      {{{"runtime/a.cc", "\n"}}, "runtime/a.cc:1: is in no room of runtime/: the table in source_rules.cc has them"},
      {{{"runtime/attic/a.cc", "\n"}},
       "runtime/attic/a.cc:1: is in no room of runtime/: the table in source_rules.cc has them"},
      {{{"actors/relay.cc", "\n"}},
       "actors/relay.cc:1: is in no room of actors/: the table in source_rules.cc has them"},
      {{{"callbacks/stop.cc", "\n"}},
       "callbacks/stop.cc:1: is in no room of callbacks/: the table in source_rules.cc has them"},
      {{{"tests/runtime/a_test.cc", "\n"}},
       "tests/runtime/a_test.cc:1: is in no room of runtime/: the table in source_rules.cc has them"},
      {{{"runtime/base/b.h", header("runtime/base/c.h")},
        {"runtime/base/c.h", header("runtime/base/d.h")},
        {"runtime/base/d.h", header("runtime/base/b.h")}},
       "runtime/base/b.h:2: includes itself in a circle: runtime/base/b.h -> runtime/base/c.h -> runtime/base/d.h -> "
       "runtime/base/b.h"},
      {{{"callbacks/stopping/stop.h", kHook},
        {"callbacks/checkpointing/save.cc", "#include \"troupe/callbacks/stopping/stop.h\"\n"}},
       "callbacks/checkpointing/save.cc:1: includes \"callbacks/stopping/stop.h\": a callback knows no other callback"},
      {{{"runtime/base/a.cc", "#include <caf/actor.hpp>\n"}},
       "runtime/base/a.cc:1: includes <caf/actor.hpp>, which only actors/ may"},
      {{{"deploy/a.cc", "#include <grpcpp/grpcpp.h>\n"}},
       "deploy/a.cc:1: includes <grpcpp/grpcpp.h>, which only actors/ may"},
      {{{"actors/run/a.h", "#pragma once\n#include <torch/torch.h>\n"}},
       "actors/run/a.h:2: includes the umbrella <torch/torch.h> in a header: include what it needs"},
      {{{"runtime/base/CMakeLists.txt", kCore}, {"runtime/base/a.h", "#pragma once\n#include <ATen/core/Tensor.h>\n"}},
       "runtime/base/a.h:2: includes <ATen/core/Tensor.h>, but its library is free of LibTorch"},
      {{{"runtime/loop/CMakeLists.txt", kCore}, {"runtime/loop/a.cc", "#include \"troupe/runtime/module/module.h\"\n"}},
       "runtime/loop/a.cc:1: includes \"runtime/module/module.h\", but its library is free of LibTorch and that is in "
       "none such"},
      {{{"actors/relay/CMakeLists.txt", "troupe_add_room(run_system SOURCES relay.cc)"},
        {"actors/relay/relay.cc", "#include \"troupe/runtime/module/snapshot.h\"\n"}},
       "actors/relay/relay.cc:1: includes \"runtime/module/snapshot.h\", but its library is free of LibTorch and that "
       "is "
       "in none such"},
      {{{"runtime/base/a.h", "#ifndef A\n#define A\n#endif\n"}}, "runtime/base/a.h:1: has no #pragma once"},
      {{{"proto/a.proto", left_to_do}}, "proto/a.proto:1: says that work is left to do: do it, or drop the note"},
  };
  for (const auto& [tree, expected] : cases) {
    CHECK(check_tree(tree) == std::vector{expected});
  }
}
