#include "troupe/runtime/base/allocator.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <cstdlib>
#include <vector>

#include "tests/support/places.h"
#include "tests/support/run_shell.h"

using namespace troupe;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // These have an allocator of their own.

namespace {

/// Whether a block of `bytes` is mapped by itself, which the byte before it tells: glibc notes it in the block's size.
bool is_mapped(size_t bytes) {
  constexpr size_t kMappedBit = 2;
  void* const block = std::malloc(bytes);
  // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): what lies before a block is set.
  const bool mapped = (static_cast<const size_t*>(block)[-1] & kMappedBit) != 0;
  std::free(block);
  return mapped;
}

}  // namespace

TEST_CASE("a tuned allocator takes tensors of ordinary size from the heap, and keeps it") {
  const char* const asked = std::getenv("TROUPE_TEST_UNTUNED");
  if (asked != nullptr) {
    CHECK_FALSE(tune_allocator());
    CHECK(is_mapped(100U << 20));
    return;
  }
  CHECK(tune_allocator());
  CHECK(tune_allocator());
  CHECK_FALSE(is_mapped(100U << 20));
  CHECK(is_mapped(size_t{1} << 30));
}

TEST_CASE("what the environment says of the allocator is left alone") {
  for (const char* setting : {"MALLOC_TRIM_THRESHOLD_=131072", "MALLOC_MMAP_THRESHOLD_=131072", "MALLOC_TOP_PAD_=0",
                              "GLIBC_TUNABLES=glibc.malloc.top_pad=131072"}) {
    CAPTURE(setting);
    const auto result = run_shell(std::string("TROUPE_TEST_UNTUNED=1 ") + setting + " " +
                                  testing::program("core_test") + " --test-case='a tuned allocator*'");
    CAPTURE(result.output);
    CHECK(result.status == 0);
  }
}

#endif
