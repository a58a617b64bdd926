#include "troupe/callbacks/monitoring/host_sampler.h"

#include <unistd.h>

#include <fstream>
#include <iterator>

#include "troupe/callbacks/monitoring/cgroup_sampler.h"

namespace troupe {
namespace {

double percent_of(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

/// Counters may go back a little where a processor is taken away or the kernel corrects itself.
double grown(uint64_t before, uint64_t now) {
  return now > before ? static_cast<double>(now - before) : 0;
}

}  // namespace

std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return file.is_open() && !file.bad() ? std::optional(std::move(text)) : std::nullopt;
}

Measurements HostSampler::sample() {
  Measurements measurements;
  add_processors(measurements);
  add_memory(measurements);
  add_io(measurements);
  add_cgroup(read_, measurements);
  return measurements;
}

void HostSampler::add_processors(Measurements& measurements) {
  const auto ticks = parse_cpu_ticks(read_("/proc/stat").value_or(""));
  const auto process = parse_process_counters(read_("/proc/self/stat").value_or(""));
  const double passed = ticks && ticks_ ? grown(ticks_->total, ticks->total) : 0;
  if (passed > 0) {
    measurements["cpu_percent"] = percent_of(grown(ticks_->busy, ticks->busy), passed);
    if (process && process_ticks_ && ticks->cpus > 0) {
      measurements["process_cpu_percent"] =
          percent_of(grown(*process_ticks_, process->cpu_ticks), passed / ticks->cpus);
    }
  }
  if (process) {
    measurements["process_rss_bytes"] =
        static_cast<double>(process->rss_pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
    measurements["process_minor_faults"] = static_cast<double>(process->minor_faults);
    measurements["process_major_faults"] = static_cast<double>(process->major_faults);
  }
  ticks_ = ticks;
  process_ticks_ = process ? std::optional(process->cpu_ticks) : std::nullopt;
}

void HostSampler::add_memory(Measurements& measurements) const {
  const auto memory = parse_machine_memory(read_("/proc/meminfo").value_or(""));
  if (memory) {
    measurements["cpu_vm_percent"] =
        percent_of(grown(memory->available_bytes, memory->total_bytes), static_cast<double>(memory->total_bytes));
    measurements["cpu_swap_percent"] = percent_of(grown(memory->swap_free_bytes, memory->swap_total_bytes),
                                                  static_cast<double>(memory->swap_total_bytes));
  }
}

void HostSampler::add_io(Measurements& measurements) const {
  if (const auto io = parse_process_io(read_("/proc/self/io").value_or(""))) {
    measurements["process_read_bytes"] = static_cast<double>(io->read_bytes);
    measurements["process_written_bytes"] = static_cast<double>(io->written_bytes);
  }
}

}  // namespace troupe
