#include "tests/support/source_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Product folders from the bottom up: a file includes its own folder's and those before it.
constexpr std::array<std::string_view, 6> kFolders = {"runtime", "callbacks", "actors",
                                                      "deploy",  "troupe.h",  "examples"};

/// What users copy, and build with the installed package: it names its own headers from its own folder.
constexpr std::string_view kProjectOfItsOwn = "examples/starter/";

/// The rooms of the folders that have some, from the bottom up; what may stand outside them comes after all of them.
struct Rooms {
  std::string_view folder;
  std::vector<std::string_view> rooms;
  std::vector<std::string_view> outside;  ///< Stems of the files that stand in the folder itself.
};
const std::array<Rooms, 3> kRooms = {{{"runtime",
                                       {"base", "file", "plot", "options", "state", "event", "callback", "checkpoint",
                                        "log", "replay", "interchange", "schedule", "data", "module", "loop"},
                                       {}},
                                      {"callbacks",
                                       {"common", "stopping", "checkpointing", "monitoring", "progress", "logging",
                                        "tuning", "averaging", "finetuning", "guarding"},
                                       {"builtin_callbacks", "live_callbacks"}},
                                      {"actors", {"mailbox", "callback", "storage", "relay", "run"}, {"trainer"}}}};

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

/// What lies between the folder and the file; empty for a file that stands in the folder itself.
std::string_view room_of(std::string_view path) {
  const auto first = path.find('/');
  const auto last = path.rfind('/');
  return first == last ? std::string_view() : path.substr(first + 1, last - first - 1);
}

template <class Range>
std::optional<size_t> place_in(const Range& range, std::string_view name) {
  const auto found = std::find(std::begin(range), std::end(range), name);
  return found == std::end(range) ? std::nullopt : std::optional<size_t>(found - std::begin(range));
}

std::optional<size_t> folder_place(std::string_view path) {
  return place_in(kFolders, folder_of(path));
}

const Rooms* rooms_of(std::string_view path) {
  const auto* const found =
      std::find_if(kRooms.begin(), kRooms.end(), [&](const Rooms& rooms) { return rooms.folder == folder_of(path); });
  return found == kRooms.end() ? nullptr : found;
}

/// How high a file stands in a folder with rooms.
size_t room_place(const Rooms& rooms, std::string_view path) {
  return place_in(rooms.rooms, room_of(path)).value_or(rooms.rooms.size());
}

/// The path in the sources of "troupe/runtime/...", or nothing for what is not ours ("troupe/v1/..." is generated).
std::string source_of(std::string_view included) {
  constexpr std::string_view kPrefix = "troupe/";
  if (!included.starts_with(kPrefix) || included.starts_with("troupe/v1/")) {
    return {};
  }
  return std::string(included.substr(kPrefix.size()));
}

class Checker {
 public:
  explicit Checker(fs::path root) : root_(std::move(root)) {
    list_torch_free("runtime", "core");
    list_torch_free("callbacks", "callbacks");
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
    if (fs::exists(root_ / "troupe.h")) {
      check_file(root_ / "troupe.h");
    }
    for (const auto& [header, included] : includes_of_) {
      find_circle(header);
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
    line_ = 1;
    check_room();
    line_ = 0;
    static const std::regex include_line(R"(^\s*#\s*include\s*([<"])([^>"]*)[>"])");
    static const std::regex left_to_do(R"(\b(TO)(DO)\b|\b(FIX)(ME)\b|\bXXX\b)");
    bool guarded = extension != ".h";
    std::ifstream lines(path);
    for (std::string line; std::getline(lines, line);) {
      ++line_;
      guarded = guarded || line == "#pragma once";
      if (std::smatch match; std::regex_search(line, match, include_line)) {
        check_include(match[1] == "<", match[2]);
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

  void check_include(bool angled, const std::string& included) {
    if (const std::string source = source_of(included); !source.empty()) {
      check_own_include(source);
      if (file_.ends_with(".h")) {
        includes_of_[file_].push_back({source, line_});
      }
    } else if (angled) {
      check_foreign_include(included);
    } else if (folder_place(file_)) {
      check_named_in_full(included);
    }
  }

  /// A source of runtime/ or actors/, or a test of one, is in a room that the table has.
  void check_room() {
    const bool is_test = file_.starts_with("tests/");
    const std::string path = is_test ? file_.substr(file_.find('/') + 1) : file_;
    const Rooms* const rooms = rooms_of(path);
    if (rooms == nullptr || place_in(rooms->rooms, room_of(path))) {
      return;
    }
    const std::string name = fs::path(path).stem().string();
    const bool may_stand_outside =
        room_of(path).empty() && !rooms->outside.empty() && (is_test || place_in(rooms->outside, name));
    if (!may_stand_outside) {
      report("is in no room of " + std::string(rooms->folder) + "/: the table in source_rules.cc has them");
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
    if (included == "torch/torch.h" && folder_place(file_) && file_.ends_with(".h") && file_ != "troupe.h") {
      report("includes the umbrella <torch/torch.h> in a header: include what it needs");
    }
  }

  void check_named_in_full(const std::string& included) {
    if (file_.starts_with(kProjectOfItsOwn)) {
      if (!fs::exists(root_ / kProjectOfItsOwn / included)) {
        report("includes \"" + included + "\", which is not in its folder: it is built where it has been copied to");
      }
    } else if (folder_of(included) == "tests") {
      report("includes \"" + included + "\": no product source includes a test");
    } else if (folder_of(included) != "examples") {
      report("includes \"" + included + "\": name it in full, \"troupe/...\"");
    }
  }

  void check_own_include(const std::string& included) {
    const auto place = folder_place(file_);
    if (!place) {
      return;
    }
    if (folder_place(included).value_or(0) > *place) {
      report("includes \"" + included + "\": includes go from " + std::string(folder_of(file_)) + " down, never up");
    }
    const Rooms* const rooms = rooms_of(file_);
    if (rooms != nullptr && rooms == rooms_of(included) && room_place(*rooms, included) > room_place(*rooms, file_)) {
      report("includes \"" + included + "\": the room " + std::string(room_of(file_)) + " includes those before it");
    }
    const bool listed = folder_of(included) != "deploy";
    if (torch_free(file_) && listed && !torch_free(included)) {
      report("includes \"" + included + "\", but its library is free of LibTorch and that is in none such");
    }
    const bool own = stem_of(included) == stem_of(file_) || stem_of(file_) == "callbacks/builtin_callbacks" ||
                     stem_of(file_) == "callbacks/live_callbacks";
    if (folder_of(file_) == "callbacks" && folder_of(included) == "callbacks" && !own && has_hook(included)) {
      report("includes \"" + included + "\": a callback knows no other callback");
    }
  }

  bool has_hook(const std::string& header) const {
    return read_text(root_ / header).find("void on(const ") != std::string::npos;
  }

  /// Reports the circle that `header` is in, if there is one, at the include of its alphabetically first header.
  void find_circle(const std::string& header) {
    std::vector<std::string> path = {header};
    std::set<std::string> seen;
    if (leads_back(path, seen) && *std::min_element(path.begin(), path.end()) == header) {
      file_ = header;
      const auto& included = includes_of_[header];
      line_ = std::find_if(included.begin(), included.end(), [&](const Include& next) {
                return next.header == (path.size() > 1 ? path[1] : header);
              })->line;
      std::string circle;
      for (const auto& step : path) {
        circle += step + " -> ";
      }
      report("includes itself in a circle: " + circle + header);
    }
  }

  bool leads_back(std::vector<std::string>& path, std::set<std::string>& seen) {
    const auto found = includes_of_.find(path.back());
    if (found == includes_of_.end()) {
      return false;
    }
    for (const auto& [next, line] : found->second) {
      if (next == path.front()) {
        return true;
      }
      if (seen.insert(next).second) {
        path.push_back(next);
        if (leads_back(path, seen)) {
          return true;
        }
        path.pop_back();
      }
    }
    return false;
  }

  /// Listed, or the private header of a source that is.
  bool torch_free(const std::string& path) const {
    return torch_free_.contains(path) || torch_free_.contains(std::string(stem_of(path)) + ".cc");
  }

  /// Notes what the rooms of a folder give to a library: troupe_add_room(<library> ...).
  void list_torch_free(const std::string& folder, const std::string& library) {
    if (!fs::exists(root_ / folder)) {
      return;
    }
    const std::regex call("troupe_add_room\\(\\s*" + library + "\\s([^)]*)\\)");
    static const std::regex source(R"(\S+\.(h|cc)\b)");
    for (const auto& entry : fs::recursive_directory_iterator(root_ / folder)) {
      if (entry.path().filename() != "CMakeLists.txt") {
        continue;
      }
      const std::string text = read_text(entry.path());
      const fs::path room = entry.path().parent_path().lexically_relative(root_);
      if (std::smatch match; std::regex_search(text, match, call)) {
        const std::string list = match[1];
        for (std::sregex_iterator at(list.begin(), list.end(), source), end; at != end; ++at) {
          torch_free_.insert((room / at->str()).string());
        }
      }
    }
  }

  void report(const std::string& what) { broken_.push_back(file_ + ":" + std::to_string(line_) + ": " + what); }

  struct Include {
    std::string header;
    int line;
  };

  fs::path root_;
  std::set<std::string> torch_free_;                         // Sources and headers of the libraries that are.
  std::map<std::string, std::vector<Include>> includes_of_;  // Of our headers.
  std::string file_;
  int line_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> check_sources(const fs::path& root) {
  return Checker(root).check();
}

}  // namespace troupe
