#include "troupe/callbacks/monitoring/host_sampler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <map>

using namespace troupe;

namespace {

/// Files that are texts, and may change between samples.
using TextFiles = std::map<std::string, std::string>;

ReadText reading(const TextFiles& files) {
  return [&files](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string process_stat(int user_ticks, int system_ticks) {
  return "7 (p) R 1 1 1 0 -1 0 20 0 3 0 " + std::to_string(user_ticks) + " " + std::to_string(system_ticks) +
         " 0 0 20 0 1 0 5 4096 10 0";
}

/// What one sample has of control groups.
Measurements cgroup_part(const TextFiles& files) {
  Measurements measurements = HostSampler(reading(files)).sample();
  std::erase_if(measurements, [](const auto& entry) { return !entry.first.starts_with("cgroup_"); });
  return measurements;
}

}  // namespace

TEST_CASE("processors are measured between two samples, in percent of all and of one") {
  TextFiles files{{"/proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n"},
                  {"/proc/self/stat", process_stat(50, 10)}};
  HostSampler sampler(reading(files));
  const Measurements first = sampler.sample();
  CHECK_FALSE(first.contains("cpu_percent"));
  CHECK_FALSE(first.contains("process_cpu_percent"));
  CHECK(first.at("process_minor_faults") == 20);
  CHECK(first.at("process_major_faults") == 3);
  CHECK(first.at("process_rss_bytes") == 10.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));

  files["/proc/stat"] = "cpu  200 0 150 1000 50 0 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n";
  files["/proc/self/stat"] = process_stat(170, 40);
  const Measurements second = sampler.sample();
  CHECK(second.at("cpu_percent") == 37.5);                // 150 of 400 ticks.
  CHECK(second.at("process_cpu_percent") == 150.0);       // 150 ticks while each of 4 processors had 100.
  CHECK_FALSE(sampler.sample().contains("cpu_percent"));  // No tick later.
}

TEST_CASE("memory, swap and storage are measured") {
  const TextFiles files{
      {"/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 200 kB\nSwapFree: 150 kB\n"},
      {"/proc/self/io", "read_bytes: 4096\nwrite_bytes: 8192\n"}};
  CHECK(HostSampler(reading(files)).sample() == Measurements{{"cpu_vm_percent", 75},
                                                             {"cpu_swap_percent", 25},
                                                             {"process_read_bytes", 4096},
                                                             {"process_written_bytes", 8192}});
  const TextFiles no_swap{{"/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 1000 kB\n"}};
  CHECK(HostSampler(reading(no_swap)).sample() == Measurements{{"cpu_swap_percent", 0}, {"cpu_vm_percent", 0}});
  CHECK(HostSampler(reading({})).sample().empty());
}

TEST_CASE("a control group of version 2 has the narrowest limit of it and of those above it") {
  const std::string root = "/sys/fs/cgroup";
  TextFiles files{{"/proc/self/cgroup", "0::/a/b\n"},      {root + "/a/b/memory.current", "300\n"},
                  {root + "/a/b/memory.max", "max\n"},     {root + "/a/memory.max", "1200\n"},
                  {root + "/a/memory.current", "900\n"},   {root + "/a/b/cpu.max", "300000 100000\n"},
                  {root + "/a/cpu.max", "150000 100000\n"}};
  CHECK(cgroup_part(files) == Measurements{{"cgroup_cpu_limit", 1.5},
                                           {"cgroup_memory_bytes", 300},
                                           {"cgroup_memory_limit_bytes", 1200},
                                           {"cgroup_memory_percent", 25}});
  files = {{"/proc/self/cgroup", "0::/not/visible/here\n"},  // In a container its group is the root.
           {root + "/memory.current", "10\n"},
           {root + "/memory.max", "40\n"}};
  CHECK(cgroup_part(files) ==
        Measurements{{"cgroup_memory_bytes", 10}, {"cgroup_memory_limit_bytes", 40}, {"cgroup_memory_percent", 25}});
}

TEST_CASE("a control group of version 1 is read where its controllers are mounted") {
  const std::string memory = "/sys/fs/cgroup/memory";
  const TextFiles files{{"/proc/self/cgroup", "4:memory:/m/n\n2:cpu,cpuacct:/c\n0::/\n"},
                        {memory + "/m/n/memory.usage_in_bytes", "100\n"},
                        {memory + "/m/n/memory.limit_in_bytes", "9223372036854771712\n"},
                        {memory + "/m/memory.limit_in_bytes", "400\n"},
                        {"/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "50000\n"},
                        {"/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n"},
                        {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
                        {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}};
  CHECK(cgroup_part(files) == Measurements{{"cgroup_cpu_limit", 0.5},
                                           {"cgroup_memory_bytes", 100},
                                           {"cgroup_memory_limit_bytes", 400},
                                           {"cgroup_memory_percent", 25}});
}

TEST_CASE("this machine tells of itself") {
  const Measurements measurements = HostSampler().sample();
  REQUIRE(measurements.contains("process_rss_bytes"));
  CHECK(measurements.at("process_rss_bytes") > 1e5);
  CHECK(measurements.at("cpu_vm_percent") > 0);
  CHECK(measurements.at("cpu_vm_percent") < 100);
  CHECK_FALSE(read_text_file("/proc/no such file"));
}
