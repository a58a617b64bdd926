#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

/// Where the sources under `root` break the rules that neither compiler nor linker knows, as "path:line: what is
/// wrong":
/// - includes go one way: examples -> troupe.h -> deploy -> actors -> callbacks -> runtime; no product source includes
/// a test; our headers are named in full, "troupe/runtime/...";
/// - inside runtime/ and actors/ every source is in a room of the table in source_rules.cc (but for the Trainer, and
/// for the tests of what has no room), and includes its own room's and those before it;
/// - no headers include each other in a circle;
/// - a callback does not include another one (a header with a hook), only the table of built-ins and troupe.h do;
/// - only actors/ includes CAF and gRPC; no public header but troupe.h includes the umbrella <torch/torch.h>;
/// - the libraries core and run_system (what the rooms' CMakeLists.txt give them) include nothing of LibTorch and
/// nothing of these folders that is not given to them;
/// - a header says #pragma once; no note of work that is left to do stays in a source.
std::vector<std::string> check_sources(const std::filesystem::path& root);

}  // namespace troupe
