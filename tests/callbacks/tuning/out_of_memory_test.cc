#include "troupe/callbacks/tuning/out_of_memory.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <functional>
#include <new>
#include <stdexcept>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Whether what `action` throws counts as an end of memory.
bool runs_out(const std::function<void()>& action) {
  try {
    action();
  } catch (...) {
    return is_out_of_memory(std::current_exception());
  }
  FAIL("nothing was thrown");
  return false;
}

}  // namespace

TEST_CASE("what allocators throw is an end of memory") {
  CHECK(runs_out([] { throw std::bad_alloc(); }));
  CHECK(runs_out([] { throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "no room"); }));
  // LibTorch 1.13 throws its plain error here, whatever the name.
  CHECK(runs_out([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2 GiB"); }));
  CHECK(runs_out([] { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"); }));
#ifndef __SANITIZE_ADDRESS__  // It ends the program where an allocation is that large.
  CHECK(runs_out([] { at::empty({int64_t{1} << 58}); }));
#endif
}

TEST_CASE("an end of memory is found inside another error") {
  CHECK(runs_out([] {
    try {
      throw std::bad_alloc();
    } catch (...) {
      std::throw_with_nested(DataError("sample 3"));
    }
  }));
}

TEST_CASE("other errors are no end of memory") {
  CHECK_FALSE(runs_out([] { TORCH_CHECK(false, "shapes do not fit"); }));
  CHECK_FALSE(runs_out([] { throw std::runtime_error("no memory of that"); }));
  CHECK_FALSE(runs_out([] { throw 7; }));
  CHECK_FALSE(runs_out([] {
    try {
      throw std::runtime_error("disk");
    } catch (...) {
      std::throw_with_nested(DataError("sample 3"));
    }
  }));
}
