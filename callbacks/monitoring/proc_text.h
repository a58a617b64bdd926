#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

// What files of /proc and of the cgroup file systems say, from their text. Pure; none where the text is of no such
// file. Formats: proc(5) of the Linux manual pages, and admin-guide/cgroup-v2 and cgroup-v1 of the kernel's.

/// The machine's processors, from /proc/stat. In ticks since it started, summed over the processors.
struct CpuTicks {
  uint64_t busy = 0;   ///< Not idle and not waiting for input or output.
  uint64_t total = 0;  ///< Guests' ticks are counted once, as their user's.
  uint32_t cpus = 0;
};
std::optional<CpuTicks> parse_cpu_ticks(std::string_view proc_stat);

/// From /proc/meminfo.
struct MachineMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  ///< That programs can have without swapping.
  uint64_t swap_total_bytes = 0;
  uint64_t swap_free_bytes = 0;
};
std::optional<MachineMemory> parse_machine_memory(std::string_view proc_meminfo);

/// One process, from /proc/<pid>/stat, since it started.
struct ProcessCounters {
  uint64_t minor_faults = 0;  ///< Page faults that needed no disk.
  uint64_t major_faults = 0;  ///< Those that did.
  uint64_t cpu_ticks = 0;     ///< User's and system's, of all its threads.
  uint64_t rss_pages = 0;     ///< Resident now.
};
std::optional<ProcessCounters> parse_process_counters(std::string_view proc_pid_stat);

/// One process, from /proc/<pid>/io, since it started: what it had read from storage and sent to it.
struct ProcessIo {
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
};
std::optional<ProcessIo> parse_process_io(std::string_view proc_pid_io);

/// Where a process is in the control groups, from /proc/<pid>/cgroup. Paths start with "/"; empty: not in one.
struct CgroupPaths {
  std::string unified;    ///< Version 2.
  std::string v1_memory;  ///< Version 1, controller memory.
  std::string v1_cpu;     ///< Version 1, controller cpu.
};
CgroupPaths parse_cgroup_paths(std::string_view proc_pid_cgroup);

/// A number of bytes in a file of its own (memory.max, memory.current, memory.limit_in_bytes, ...); none for "max" and
/// for what version 1 has in its place, a number beyond all memory.
std::optional<uint64_t> parse_cgroup_bytes(std::string_view text);

/// The processors' time that a group may use, in processors: of cpu.max ("200000 100000" is 2), none for "max".
std::optional<double> parse_cgroup_cpu_limit(std::string_view cpu_max);
/// The same of version 1's cpu.cfs_quota_us (-1: no limit) and cpu.cfs_period_us.
std::optional<double> parse_cgroup_v1_cpu_limit(std::string_view quota_us, std::string_view period_us);

}  // namespace troupe
