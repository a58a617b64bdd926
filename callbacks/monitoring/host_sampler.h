#pragma once

#include <functional>
#include <optional>
#include <string>

#include "troupe/callbacks/common/measured.h"
#include "troupe/callbacks/monitoring/proc_text.h"

namespace troupe {

/// Gives the content of a file; none where it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;
std::optional<std::string> read_text_file(const std::string& path);

/// Measures this process and its machine by /proc and the cgroup file systems of Linux. What the system does not tell
/// is left out.
///
/// cpu_percent, cpu_vm_percent, cpu_swap_percent: of all processors, of memory and of swap, in use.
/// process_cpu_percent: 100 is one processor. process_rss_bytes. process_minor_faults, process_major_faults,
/// process_read_bytes, process_written_bytes: since the process started. cgroup_memory_bytes,
/// cgroup_memory_limit_bytes, cgroup_memory_percent, cgroup_cpu_limit (in processors): of the process's control group,
/// where it has limits the narrowest of it and of those above it.
class HostSampler {
 public:
  explicit HostSampler(ReadText read = &read_text_file) : read_(std::move(read)) {}

  /// Percentages of processors are since the call before; the first call has none.
  Measurements sample();

 private:
  void add_processors(Measurements& measurements);
  void add_memory(Measurements& measurements) const;
  void add_io(Measurements& measurements) const;

  ReadText read_;
  std::optional<CpuTicks> ticks_;  // As of the call before.
  std::optional<uint64_t> process_ticks_;
};

}  // namespace troupe
