#pragma once

#include "troupe/callbacks/common/measured.h"
#include "troupe/callbacks/monitoring/host_sampler.h"

namespace troupe {

/// Adds what this process's control group uses and may use, of version 1 or 2; HostSampler says by which names. In a
/// container whose group is not visible under its own path, the group that is mounted counts.
void add_cgroup(const ReadText& read, Measurements& measurements);

}  // namespace troupe
