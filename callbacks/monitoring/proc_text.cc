#include "troupe/callbacks/monitoring/proc_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe {
namespace {

constexpr std::string_view kBlanks = " \t\n";

/// Takes the first word off `text`; empty at its end.
std::string_view take_word(std::string_view& text) {
  const size_t start = std::min(text.find_first_not_of(kBlanks), text.size());
  const size_t end = std::min(text.find_first_of(kBlanks, start), text.size());
  const std::string_view word = text.substr(start, end - start);
  text.remove_prefix(end);
  return word;
}

/// Takes the first line off `text`, without its end.
std::string_view take_text_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

template <class Number>
std::optional<Number> number_in(std::string_view word) {
  Number number{};
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && rest == word.data() + word.size() ? std::optional(number) : std::nullopt;
}

/// The only word of a text, as a number.
template <class Number>
std::optional<Number> only_number(std::string_view text) {
  const std::string_view word = take_word(text);
  return take_word(text).empty() ? number_in<Number>(word) : std::nullopt;
}

/// The number behind "name:" at the start of a line.
std::optional<uint64_t> number_of_line(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = take_text_line(text);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) {
      line.remove_prefix(name.size() + 1);
      return number_in<uint64_t>(take_word(line));
    }
  }
  return std::nullopt;
}

/// Whether "cpu,cpuacct" names this controller.
bool has_controller(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == wanted) {
      return true;
    }
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// Lines of single processors: "cpu0 ...".
uint32_t count_cpus(std::string_view proc_stat) {
  uint32_t cpus = 0;
  while (!proc_stat.empty()) {
    const std::string_view line = take_text_line(proc_stat);
    cpus += line.size() > 3 && line.starts_with("cpu") && line[3] >= '0' && line[3] <= '9' ? 1 : 0;
  }
  return cpus;
}

}  // namespace

std::optional<CpuTicks> parse_cpu_ticks(std::string_view proc_stat) {
  enum { kUser, kNice, kSystem, kIdle, kIoWait, kIrq, kSoftIrq, kSteal, kFields };  // guest and guest_nice are in user.
  std::string_view line = proc_stat.substr(0, proc_stat.find('\n'));
  if (take_word(line) != "cpu") {
    return std::nullopt;
  }
  std::array<uint64_t, kFields> ticks{};
  CpuTicks cpu{.cpus = count_cpus(proc_stat)};
  for (size_t i = 0; i < ticks.size(); ++i) {
    const auto number = number_in<uint64_t>(take_word(line));
    if (!number && i <= kIdle) {  // Old kernels have no more.
      return std::nullopt;
    }
    ticks[i] = number.value_or(0);
    cpu.total += ticks[i];
  }
  cpu.busy = cpu.total - ticks[kIdle] - ticks[kIoWait];
  return cpu;
}

std::optional<MachineMemory> parse_machine_memory(std::string_view proc_meminfo) {
  constexpr uint64_t kKibibyte = 1024;  // What the file calls kB.
  const auto total = number_of_line(proc_meminfo, "MemTotal");
  const auto available = number_of_line(proc_meminfo, "MemAvailable");
  if (!total || !available) {
    return std::nullopt;
  }
  return MachineMemory{.total_bytes = *total * kKibibyte,
                       .available_bytes = *available * kKibibyte,
                       .swap_total_bytes = number_of_line(proc_meminfo, "SwapTotal").value_or(0) * kKibibyte,
                       .swap_free_bytes = number_of_line(proc_meminfo, "SwapFree").value_or(0) * kKibibyte};
}

std::optional<ProcessCounters> parse_process_counters(std::string_view proc_pid_stat) {
  // The name, in parentheses, may hold blanks and parentheses: the fields count from behind the last one, from 3 on.
  constexpr size_t kFirst = 3;
  constexpr size_t kMinorFaults = 10;
  constexpr size_t kMajorFaults = 12;
  constexpr size_t kUserTicks = 14;
  constexpr size_t kSystemTicks = 15;
  constexpr size_t kResidentPages = 24;
  const size_t name_end = proc_pid_stat.rfind(')');
  if (name_end == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = proc_pid_stat.substr(name_end + 1);
  std::array<uint64_t, kResidentPages + 1> fields{};
  for (size_t i = kFirst; i <= kResidentPages; ++i) {
    const std::string_view word = take_word(rest);
    if (word.empty()) {
      return std::nullopt;
    }
    fields[i] = number_in<uint64_t>(word).value_or(0);  // The state is a letter, some others may be negative.
  }
  return ProcessCounters{.minor_faults = fields[kMinorFaults],
                         .major_faults = fields[kMajorFaults],
                         .cpu_ticks = fields[kUserTicks] + fields[kSystemTicks],
                         .rss_pages = fields[kResidentPages]};
}

std::optional<ProcessIo> parse_process_io(std::string_view proc_pid_io) {
  const auto read = number_of_line(proc_pid_io, "read_bytes");
  const auto written = number_of_line(proc_pid_io, "write_bytes");
  return read && written ? std::optional(ProcessIo{.read_bytes = *read, .written_bytes = *written}) : std::nullopt;
}

CgroupPaths parse_cgroup_paths(std::string_view proc_pid_cgroup) {
  CgroupPaths paths;
  while (!proc_pid_cgroup.empty()) {
    const std::string_view line = take_text_line(proc_pid_cgroup);  // Hierarchy, controllers, path: "4:memory:/a".
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (line.substr(0, first) == "0" && controllers.empty()) {
      paths.unified = path;
    } else if (has_controller(controllers, "memory")) {
      paths.v1_memory = path;
    } else if (has_controller(controllers, "cpu")) {
      paths.v1_cpu = path;
    }
  }
  return paths;
}

std::optional<uint64_t> parse_cgroup_bytes(std::string_view text) {
  constexpr uint64_t kNoLimit = uint64_t{1} << 60;  // Version 1 writes the largest multiple of a page.
  const auto bytes = only_number<uint64_t>(text);
  return bytes && *bytes < kNoLimit ? bytes : std::nullopt;
}

std::optional<double> parse_cgroup_cpu_limit(std::string_view cpu_max) {
  const auto quota_us = number_in<uint64_t>(take_word(cpu_max));
  const auto period_us = only_number<uint64_t>(cpu_max);
  if (!quota_us || !period_us || *period_us == 0) {
    return std::nullopt;
  }
  return static_cast<double>(*quota_us) / static_cast<double>(*period_us);
}

std::optional<double> parse_cgroup_v1_cpu_limit(std::string_view quota_us, std::string_view period_us) {
  const auto quota = only_number<int64_t>(quota_us);
  const auto period = only_number<int64_t>(period_us);
  if (!quota || !period || *quota <= 0 || *period <= 0) {
    return std::nullopt;
  }
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace troupe
