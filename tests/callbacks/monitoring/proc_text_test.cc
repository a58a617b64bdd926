// Texts as Linux gives them: of kernel 5.10 and 6.1, in containers and outside.
#include "troupe/callbacks/monitoring/proc_text.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("/proc/stat tells busy and total ticks, without counting guests twice") {
  const auto ticks = parse_cpu_ticks(
      "cpu  4460100 125528 547684 1212004 17772 0 4942 28086 300 20\n"
      "cpu0 2221189 55776 265747 636030 4769 0 548 14113 0 0\n"
      "cpu1 2238910 69752 281936 575973 13003 0 4394 13973 0 0\n"
      "intr 123 0\nctxt 456\nbtime 1\nprocesses 7\nprocs_running 2\n");
  REQUIRE(ticks);
  CHECK(ticks->busy == 4460100 + 125528 + 547684 + 4942 + 28086);
  CHECK(ticks->total == ticks->busy + 1212004 + 17772);
  CHECK(ticks->cpus == 2);
  CHECK(parse_cpu_ticks("cpu 1 2 3 4\n")->total == 10);
  for (const char* text : {"", "cpu\n", "cpu0 1 2 3 4 5\n", "cpu 1 2 x 4 5\n", "intr 1 2 3 4"}) {
    CHECK_FALSE(parse_cpu_ticks(text));
  }
}

TEST_CASE("/proc/meminfo tells memory and swap in bytes") {
  const auto memory = parse_machine_memory(
      "MemTotal:       24683656 kB\nMemFree:        20770488 kB\nMemAvailable:   22609180 kB\nBuffers:          190124 "
      "kB\n"
      "SwapCached:            0 kB\nSwapTotal:       2097148 kB\nSwapFree:        1048574 kB\n");
  REQUIRE(memory);
  CHECK(memory->total_bytes == 24683656ULL * 1024);
  CHECK(memory->available_bytes == 22609180ULL * 1024);
  CHECK(memory->swap_total_bytes == 2097148ULL * 1024);
  CHECK(memory->swap_free_bytes == 1048574ULL * 1024);
  const auto no_swap = parse_machine_memory("MemTotal: 8 kB\nMemAvailable: 4 kB");
  REQUIRE(no_swap);
  CHECK(no_swap->swap_total_bytes == 0);
  CHECK_FALSE(parse_machine_memory("MemTotal: 8 kB\nMemFree: 4 kB\n"));
  CHECK_FALSE(parse_machine_memory(""));
}

TEST_CASE("/proc/self/stat is read behind the name, whatever is in it") {
  const std::string rest =
      " R 22728 22728 28740 0 -1 4194304 98 1 7 2 51 9 3 4 20 0 1 0 3200354 3133440 358 18446744073709551615 1 1 0";
  for (const char* name : {"(cat)", "(a b)", "(x) R 1 1 (y)"}) {
    const auto counters = parse_process_counters("22739 " + std::string(name) + rest);
    REQUIRE(counters);
    CHECK(counters->minor_faults == 98);
    CHECK(counters->major_faults == 7);
    CHECK(counters->cpu_ticks == 51 + 9);
    CHECK(counters->rss_pages == 358);
  }
  CHECK_FALSE(parse_process_counters("22739 (cat) R 1 2 3"));
  CHECK_FALSE(parse_process_counters("22739 cat R"));
  CHECK_FALSE(parse_process_counters(""));
}

TEST_CASE("/proc/self/io tells what went from and to storage") {
  const auto io = parse_process_io(
      "rchar: 6976\nwchar: 5\nsyscr: 10\nsyscw: 0\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n");
  REQUIRE(io);
  CHECK(io->read_bytes == 4096);
  CHECK(io->written_bytes == 8192);
  CHECK_FALSE(parse_process_io("rchar: 1\nread_bytes: 2\n"));
}

TEST_CASE("/proc/self/cgroup names the groups of both versions") {
  const CgroupPaths unified = parse_cgroup_paths("0::/user.slice/user-1000.slice/session-2.scope\n");
  CHECK(unified.unified == "/user.slice/user-1000.slice/session-2.scope");
  CHECK(unified.v1_memory.empty());
  CHECK(unified.v1_cpu.empty());

  const CgroupPaths hybrid = parse_cgroup_paths(
      "9:name=systemd:/\n4:memory:/docker/ab:c\n3:cpuset:/x\n2:cpu,cpuacct:/docker/ab:c\n1:cpuacct_other:/y\n0::/\n");
  CHECK(hybrid.unified == "/");
  CHECK(hybrid.v1_memory == "/docker/ab:c");
  CHECK(hybrid.v1_cpu == "/docker/ab:c");

  CHECK(parse_cgroup_paths("").unified.empty());
  CHECK(parse_cgroup_paths("nonsense\n1:memory\n").v1_memory.empty());
}

TEST_CASE("limits of control groups are numbers, or none") {
  CHECK(parse_cgroup_bytes("2147483648\n") == 2147483648ULL);
  CHECK(parse_cgroup_bytes("0\n") == 0ULL);
  for (const char* text : {"max\n", "9223372036854771712\n", "", "-1\n", "12 34\n", "12x"}) {
    CHECK_FALSE(parse_cgroup_bytes(text));
  }
  CHECK(parse_cgroup_cpu_limit("200000 100000\n") == 2.0);
  CHECK(parse_cgroup_cpu_limit("50000 100000\n") == 0.5);
  for (const char* text : {"max 100000\n", "", "100000", "100000 0\n", "1 2 3\n"}) {
    CHECK_FALSE(parse_cgroup_cpu_limit(text));
  }
  CHECK(parse_cgroup_v1_cpu_limit("150000\n", "100000\n") == 1.5);
  CHECK_FALSE(parse_cgroup_v1_cpu_limit("-1\n", "100000\n"));
  CHECK_FALSE(parse_cgroup_v1_cpu_limit("100000\n", "0\n"));
  CHECK_FALSE(parse_cgroup_v1_cpu_limit("", "100000\n"));
}
