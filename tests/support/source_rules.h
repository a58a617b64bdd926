#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

/// Where the sources under `root` break the rules that neither compiler nor linker knows, as "path:line: what is
/// wrong":
/// - includes go one way: examples -> deploy -> actors -> callbacks -> runtime; no product source includes a test;
/// - a callback does not include another one (a header with a hook), only the table of built-ins does;
/// - only actors/ includes CAF and gRPC; no public header includes the umbrella <torch/torch.h>;
/// - the libraries core and run_system (the lists in runtime/ and actors/CMakeLists.txt) include nothing of LibTorch
/// and nothing of these folders outside the lists;
/// - a header says #pragma once; no note of work that is left to do stays in a source.
std::vector<std::string> check_sources(const std::filesystem::path& root);

}  // namespace troupe
