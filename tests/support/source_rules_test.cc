#include "tests/support/source_rules.h"

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

const std::string kCore = "troupe_add_library(\n  core\n  HEADERS\n  a.h\n  SOURCES\n  a.cc\n  b.cc\n  DEPS\n  b)\n";
const std::string kHook = "#pragma once\nstruct Hook { void on(const E&); };\n";

}  // namespace

TEST_CASE("the sources keep the rules") {
  std::string broken;
  for (const auto& rule : check_sources(TROUPE_SOURCE_DIR)) {
    broken += rule + "\n";
  }
  CHECK(broken == "");
  CHECK(std::filesystem::exists(TROUPE_SOURCE_DIR "/runtime/options.h"));
}

TEST_CASE("sound sources break no rule") {
  CHECK(check_tree({{"runtime/CMakeLists.txt", kCore},
                    {"runtime/a.h", "#pragma once\n#include <vector>\n"},
                    {"runtime/a.cc", "#include \"runtime/a.h\"\n#include \"runtime/b.h\"\n"},
                    {"runtime/b.h", "#pragma once\n"},
                    {"runtime/tensor.cc", "#include <torch/torch.h>\n#include \"runtime/a.h\"\n"},
                    {"callbacks/stop.h", kHook},
                    {"callbacks/stop.cc", "#include \"callbacks/stop.h\"\n#include \"callbacks/format.h\"\n"},
                    {"callbacks/format.h", "#pragma once\n"},
                    {"callbacks/builtin_callbacks.cc", "#include \"callbacks/stop.h\"\n"},
                    {"actors/a.cc", "#include <caf/actor.hpp>\n#include \"callbacks/stop.h\"\n"},
                    {"examples/main.cc", "#include \"deploy/run.h\"\n"},
                    {"tests/a_test.cc", "#include <caf/actor.hpp>\n#include \"tests/support/b.h\"\n"}})
            .empty());
}

TEST_CASE("each rule is seen to be broken, with its file and line") {
  const std::string left_to_do = std::string("// TO") + "DO: later\n";
  const std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::string>> cases = {
      {{{"runtime/a.h", "#pragma once\n\n#include \"callbacks/stop.h\"\n"}},
       "runtime/a.h:3: includes \"callbacks/stop.h\": includes go from runtime down, never up"},
      {{{"callbacks/a.cc", "#include \"actors/trainer.h\"\n"}},
       "callbacks/a.cc:1: includes \"actors/trainer.h\": includes go from callbacks down, never up"},
      {{{"actors/a.cc", "#include \"deploy/flags.h\"\n"}},
       "actors/a.cc:1: includes \"deploy/flags.h\": includes go from actors down, never up"},
      {{{"runtime/a.cc", "#include \"tests/support/files.h\"\n"}},
       "runtime/a.cc:1: includes \"tests/support/files.h\": includes go from runtime down, never up"},
      {{{"callbacks/stop.h", kHook}, {"callbacks/save.cc", "#include \"callbacks/stop.h\"\n"}},
       "callbacks/save.cc:1: includes \"callbacks/stop.h\": a callback knows no other callback"},
      {{{"runtime/a.cc", "#include <caf/actor.hpp>\n"}},
       "runtime/a.cc:1: includes <caf/actor.hpp>, which only actors/ may"},
      {{{"deploy/a.cc", "#include <grpcpp/grpcpp.h>\n"}},
       "deploy/a.cc:1: includes <grpcpp/grpcpp.h>, which only actors/ may"},
      {{{"actors/a.h", "#pragma once\n#include <torch/torch.h>\n"}},
       "actors/a.h:2: includes the umbrella <torch/torch.h> in a header: include what it needs"},
      {{{"runtime/CMakeLists.txt", kCore}, {"runtime/a.h", "#pragma once\n#include <ATen/core/Tensor.h>\n"}},
       "runtime/a.h:2: includes <ATen/core/Tensor.h>, but its library is free of LibTorch"},
      {{{"runtime/CMakeLists.txt", kCore}, {"runtime/a.cc", "#include \"runtime/module.h\"\n"}},
       "runtime/a.cc:1: includes \"runtime/module.h\", but its library is free of LibTorch and that is in none such"},
      {{{"actors/CMakeLists.txt", "troupe_add_library(run_system HEADERS SOURCES relay.cc DEPS b)"},
        {"actors/relay.cc", "#include \"runtime/snapshot.h\"\n"}},
       "actors/relay.cc:1: includes \"runtime/snapshot.h\", but its library is free of LibTorch and that is in none "
       "such"},
      {{{"runtime/a.h", "#ifndef A\n#define A\n#endif\n"}}, "runtime/a.h:1: has no #pragma once"},
      {{{"proto/a.proto", left_to_do}}, "proto/a.proto:1: says that work is left to do: do it, or drop the note"},
  };
  for (const auto& [tree, expected] : cases) {
    CHECK(check_tree(tree) == std::vector{expected});
  }
}
