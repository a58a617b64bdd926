#include "troupe/runtime/log/run_directory.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {
namespace {

/// What processes that died while they wrote the configuration left.
void remove_stale_configs(const RunPaths& paths) {
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(paths.root, ignored)) {
    if (is_temporary_name(entry.path()) && entry.path().stem() == paths.config().filename()) {
      stale.push_back(entry.path());
    }
  }
  for (const auto& path : stale) {
    std::filesystem::remove(path, ignored);
  }
}

File lock_run(const RunPaths& paths) {
  create_folders(paths.events());
  create_folders(paths.checkpoints());
  File lock = File::open_or_create(paths.lock());
  if (!lock.try_lock()) {
    std::string holder = read_file(paths.lock());
    holder.resize(std::min(holder.find('\n'), holder.size()));
    throw ConfigError("run directory " + paths.root.string() + " is being written by process " +
                      (holder.empty() ? "(unknown)" : holder) + "; a run has one writer");
  }
  remove_stale_configs(paths);
  lock.truncate(0);
  lock.write_all({bytes_of(std::to_string(::getpid()) + "\n")}, 0);
  return lock;
}

std::string new_run_id() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char time[32];
  std::strftime(time, sizeof time, "%Y%m%d-%H%M%S", &utc);
  char id[48];
  std::snprintf(id, sizeof id, "%s-%04x", time, std::random_device{}() & 0xffffU);
  return id;
}

/// Orders runs by the second they were started in; within one, by which log was touched last.
std::pair<std::string, std::filesystem::file_time_type> age_key(const std::filesystem::path& run) {
  constexpr size_t kTimeLength = 15;  // "20260131-235959".
  std::error_code ignored;
  return {run.filename().string().substr(0, kTimeLength), std::filesystem::last_write_time(run / "events", ignored)};
}

}  // namespace

std::filesystem::path plain_path(const std::filesystem::path& path) {
  const std::filesystem::path plain = std::filesystem::absolute(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

std::string run_name(const std::filesystem::path& run_directory) {
  return to_utf8(plain_path(run_directory).filename().string());
}

RunDirectory::RunDirectory(std::filesystem::path root) : paths_{std::move(root)}, lock_(lock_run(paths_)) {}

std::filesystem::path RunDirectory::default_path(const std::filesystem::path& root, const std::string& name) {
  std::filesystem::path path = root / name / new_run_id();
  while (std::filesystem::exists(path)) {
    path = root / name / new_run_id();
  }
  return path;
}

bool has_run(const std::filesystem::path& root) {
  return !list_log_segments(RunPaths{root}.events()).empty();
}

std::optional<std::filesystem::path> newest_run(const std::filesystem::path& folder) {
  std::optional<std::filesystem::path> newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const bool is_run = entry.is_directory(error) && !is_temporary_name(entry.path()) && has_run(entry.path());
    if (is_run && (!newest || age_key(*newest) < age_key(entry.path()))) {
      newest = entry.path();
    }
  }
  return newest;
}

}  // namespace troupe
