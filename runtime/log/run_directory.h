#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "troupe/runtime/file/file.h"

namespace troupe {

/// `path`, absolute and normal, without a slash at its end.
std::filesystem::path plain_path(const std::filesystem::path& path);

/// Name of a run: that of its directory, as UTF-8.
std::string run_name(const std::filesystem::path& run_directory);

/// Where the files of a run lie. Touches nothing.
struct RunPaths {
  std::filesystem::path root;

  std::filesystem::path events() const { return root / "events"; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  std::filesystem::path config() const { return root / "config.json"; }
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path monitor_socket() const { return root / "monitor.sock"; }
};

/// A run directory open for writing: made if missing, and locked against every other writer for as long as the object
/// lives.
class RunDirectory {
 public:
  /// Throws ConfigError, naming the process, when another one writes this run, and IoError when the folder cannot be
  /// written.
  explicit RunDirectory(std::filesystem::path root);

  const RunPaths& paths() const { return paths_; }
  const std::filesystem::path& root() const { return paths_.root; }
  std::filesystem::path events() const { return paths_.events(); }
  std::filesystem::path checkpoints() const { return paths_.checkpoints(); }
  std::filesystem::path config() const { return paths_.config(); }

  /// Replaces config.json, atomically.
  void write_config(std::string_view json) const { write_file_atomically(paths_.config(), json); }

  /// A new "<root>/<name>/<UTC time>-<4 hex digits>", as in runs/digits/20260131-235959-3fa9. Not made here.
  static std::filesystem::path default_path(const std::filesystem::path& root, const std::string& name);

 private:
  RunPaths paths_;
  File lock_;
};

/// Whether an event log has been started in the run directory `root`.
bool has_run(const std::filesystem::path& root);

/// The run in `folder` ("<root>/<name>") that was started last, by the names that default_path gives; nothing if there
/// is none. A fork that was not finished is no run.
std::optional<std::filesystem::path> newest_run(const std::filesystem::path& folder);

}  // namespace troupe
