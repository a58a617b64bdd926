#include "troupe/runtime/base/allocator.h"

#include <array>
#include <cstdlib>
#include <string_view>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace troupe {
namespace {

#ifdef __GLIBC__

// A tensor of up to this size comes from the heap, which keeps it; larger ones are mapped, and given back when freed.
constexpr int kMmapThresholdBytes = 256 << 20;
// So much free memory at the top of a heap stays there.
constexpr int kTrimThresholdBytes = 512 << 20;
// The heap grows by so much at least, so that it seldom has to.
constexpr int kTopPadBytes = 64 << 20;

bool environment_decides() {
  constexpr std::array<const char*, 4> kOwn = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_",
                                               "MALLOC_MMAP_MAX_"};
  for (const char* name : kOwn) {
    if (std::getenv(name) != nullptr) {
      return true;
    }
  }
  const char* const tunables = std::getenv("GLIBC_TUNABLES");
  return tunables != nullptr && std::string_view(tunables).find("glibc.malloc.") != std::string_view::npos;
}

bool tune() {
  if (environment_decides()) {
    return false;
  }
  // Any one of them ends glibc's adapting of all, so it is all or none.
  return mallopt(M_MMAP_THRESHOLD, kMmapThresholdBytes) == 1 && mallopt(M_TRIM_THRESHOLD, kTrimThresholdBytes) == 1 &&
         mallopt(M_TOP_PAD, kTopPadBytes) == 1;
}

#else

bool tune() {
  return false;
}

#endif

}  // namespace

bool tune_allocator() {
  static const bool tuned = tune();
  return tuned;
}

}  // namespace troupe
