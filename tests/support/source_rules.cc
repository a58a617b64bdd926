#include "tests/support/source_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Product folders from the bottom up: a file includes its own folder's and those before it.
constexpr std::array<std::string_view, 5> kLayers = {"runtime", "callbacks", "actors", "deploy", "examples"};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string_view folder_of(std::string_view path) {
  return path.substr(0, path.find('/'));
}
std::string_view stem_of(std::string_view path) {
  return path.substr(0, path.rfind('.'));
}

std::optional<std::size_t> layer_of(std::string_view path) {
  const auto* const layer = std::find(kLayers.begin(), kLayers.end(), folder_of(path));
  return layer == kLayers.end() ? std::nullopt : std::optional<std::size_t>(layer - kLayers.begin());
}

class Checker {
 public:
  explicit Checker(fs::path root) : root_(std::move(root)) {
    list_torch_free("runtime", "core");
    list_torch_free("actors", "run_system");
  }

  std::vector<std::string> check() {
    for (const char* folder : {"proto", "runtime", "callbacks", "actors", "deploy", "examples", "tests"}) {
      if (fs::exists(root_ / folder)) {
        for (const auto& entry : fs::recursive_directory_iterator(root_ / folder)) {
          check_file(entry.path());
        }
      }
    }
    std::sort(broken_.begin(), broken_.end());
    return std::move(broken_);
  }

 private:
  void check_file(const fs::path& path) {
    const auto extension = path.extension();
    if (extension != ".h" && extension != ".cc" && extension != ".proto") {
      return;
    }
    file_ = path.lexically_relative(root_).string();
    line_ = 0;
    static const std::regex include_line(R"(^\s*#\s*include\s*([<"])([^>"]*)[>"])");
    static const std::regex left_to_do(R"(\b(TO)(DO)\b|\b(FIX)(ME)\b|\bXXX\b)");
    bool guarded = extension != ".h";
    std::ifstream lines(path);
    for (std::string line; std::getline(lines, line);) {
      ++line_;
      guarded = guarded || line == "#pragma once";
      if (std::smatch match; std::regex_search(line, match, include_line)) {
        match[1] == "<" ? check_foreign_include(match[2]) : check_own_include(match[2]);
      }
      if (std::regex_search(line, left_to_do)) {
        report("says that work is left to do: do it, or drop the note");
      }
    }
    if (!guarded) {
      line_ = 1;
      report("has no #pragma once");
    }
  }

  void check_foreign_include(const std::string& included) {
    const bool actors = folder_of(file_) == "actors" || file_.starts_with("tests/");
    if (!actors && (included.starts_with("caf/") || included.starts_with("grpc"))) {
      report("includes <" + included + ">, which only actors/ may");
    }
    const bool torch = included.starts_with("torch/") || included.starts_with("ATen/") || included.starts_with("c10/");
    if (torch && torch_free(file_)) {
      report("includes <" + included + ">, but its library is free of LibTorch");
    }
    if (included == "torch/torch.h" && layer_of(file_) && file_.ends_with(".h")) {
      report("includes the umbrella <torch/torch.h> in a header: include what it needs");
    }
  }

  void check_own_include(const std::string& included) {
    const auto layer = layer_of(file_);
    if (!layer) {
      return;
    }
    if (folder_of(included) == "tests" || layer_of(included).value_or(0) > *layer) {
      report("includes \"" + included + "\": includes go from " + file_.substr(0, file_.find('/')) + " down, never up");
    }
    const bool listed = folder_of(included) == "runtime" || folder_of(included) == "actors";
    if (torch_free(file_) && listed && !torch_free(included)) {
      report("includes \"" + included + "\", but its library is free of LibTorch and that is in none such");
    }
    const bool own = stem_of(included) == stem_of(file_) || stem_of(file_) == "callbacks/builtin_callbacks";
    if (folder_of(file_) == "callbacks" && folder_of(included) == "callbacks" && !own && has_hook(included)) {
      report("includes \"" + included + "\": a callback knows no other callback");
    }
  }

  bool has_hook(const std::string& header) const {
    return read_text(root_ / header).find("void on(const ") != std::string::npos;
  }

  /// Listed, or the private header of a source that is.
  bool torch_free(const std::string& path) const {
    return torch_free_.contains(path) || torch_free_.contains(std::string(stem_of(path)) + ".cc");
  }

  /// Notes what troupe_add_library(<library> ...) of a folder lists.
  void list_torch_free(const std::string& folder, const std::string& library) {
    const std::string text = read_text(root_ / folder / "CMakeLists.txt");
    const std::regex call("troupe_add_library\\(\\s*" + library + "\\s([^)]*)\\)");
    static const std::regex source(R"(\S+\.(h|cc)\b)");
    if (std::smatch match; std::regex_search(text, match, call)) {
      const std::string list = match[1];
      for (std::sregex_iterator at(list.begin(), list.end(), source), end; at != end; ++at) {
        torch_free_.insert(folder + "/" + at->str());
      }
    }
  }

  void report(const std::string& what) { broken_.push_back(file_ + ":" + std::to_string(line_) + ": " + what); }

  fs::path root_;
  std::set<std::string> torch_free_;  // Sources and headers of the libraries that are.
  std::string file_;
  int line_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> check_sources(const fs::path& root) {
  return Checker(root).check();
}

}  // namespace troupe
