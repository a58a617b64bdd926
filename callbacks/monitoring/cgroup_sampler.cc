#include "troupe/callbacks/monitoring/cgroup_sampler.h"

#include <utility>
#include <vector>

namespace troupe {
namespace {

/// Where a version keeps the files of a group.
struct CgroupLayout {
  std::vector<std::string> memory_folders;  ///< Of the group and of those above it, from the inside.
  std::vector<std::string> cpu_folders;
  const char* memory_used;
  const char* memory_limit;
};

/// None where the process is in no group of this hierarchy.
std::vector<std::string> group_folders(const std::string& mount, std::string path) {
  std::vector<std::string> folders;
  if (path.empty()) {
    return folders;
  }
  while (path.size() > 1) {
    folders.push_back(mount + path);
    path.erase(path.rfind('/'));  // It starts with one.
  }
  folders.push_back(mount);
  return folders;
}

template <class LimitOf>
std::optional<double> narrowest(const std::vector<std::string>& folders, const LimitOf& limit_of) {
  std::optional<double> limit;
  for (const auto& folder : folders) {
    if (const std::optional<double> found = limit_of(folder); found && (!limit || *found < *limit)) {
      limit = found;
    }
  }
  return limit;
}

void add_memory_of(const CgroupLayout& layout, const ReadText& read, Measurements& measurements) {
  const auto bytes_in = [&](const std::string& folder, const char* name) -> std::optional<double> {
    const auto bytes = parse_cgroup_bytes(read(folder + "/" + name).value_or(""));
    return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
  };
  std::optional<double> used;
  for (auto folder = layout.memory_folders.begin(); !used && folder != layout.memory_folders.end(); ++folder) {
    used = bytes_in(*folder, layout.memory_used);
  }
  const auto limit =
      narrowest(layout.memory_folders, [&](const auto& folder) { return bytes_in(folder, layout.memory_limit); });
  if (used) {
    measurements["cgroup_memory_bytes"] = *used;
  }
  if (limit) {
    measurements["cgroup_memory_limit_bytes"] = *limit;
  }
  if (used && limit && *limit > 0) {
    measurements["cgroup_memory_percent"] = 100 * *used / *limit;
  }
}

/// A folder holds the files of one version.
std::optional<double> cpu_limit_in(const std::string& folder, const ReadText& read) {
  if (const auto limit = parse_cgroup_cpu_limit(read(folder + "/cpu.max").value_or(""))) {
    return limit;
  }
  return parse_cgroup_v1_cpu_limit(read(folder + "/cpu.cfs_quota_us").value_or(""),
                                   read(folder + "/cpu.cfs_period_us").value_or(""));
}

}  // namespace

void add_cgroup(const ReadText& read, Measurements& measurements) {
  const CgroupPaths paths = parse_cgroup_paths(read("/proc/self/cgroup").value_or(""));
  const std::string root = "/sys/fs/cgroup";
  // Where version 1 has these controllers, version 2 has not, though it may be mounted too.
  const bool version_1 = !paths.v1_memory.empty() || !paths.v1_cpu.empty();
  const CgroupLayout layout =
      version_1
          ? CgroupLayout{group_folders(root + "/memory", paths.v1_memory), group_folders(root + "/cpu", paths.v1_cpu),
                         "memory.usage_in_bytes", "memory.limit_in_bytes"}
          : CgroupLayout{group_folders(root, paths.unified), group_folders(root, paths.unified), "memory.current",
                         "memory.max"};
  add_memory_of(layout, read, measurements);
  const auto cpu = narrowest(layout.cpu_folders, [&](const auto& folder) { return cpu_limit_in(folder, read); });
  if (cpu) {
    measurements["cgroup_cpu_limit"] = *cpu;
  }
}

}  // namespace troupe
