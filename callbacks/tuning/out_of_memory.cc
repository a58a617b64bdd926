#include "troupe/callbacks/tuning/out_of_memory.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

namespace troupe {
namespace {

// "DefaultCPUAllocator: can't allocate memory: you tried to allocate ..." of LibTorch 1.13 on Linux; other systems and
// versions say "not enough memory".
constexpr std::array<std::string_view, 5> kOutOfMemoryTexts = {
    "DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory", "CUDA out of memory",
    "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"};

bool tells_of_memory(std::string_view text) {
  return std::any_of(kOutOfMemoryTexts.begin(), kOutOfMemoryTexts.end(),
                     [text](std::string_view known) { return text.find(known) != std::string_view::npos; });
}

bool has_nested_out_of_memory(const std::exception& error) {
  try {
    std::rethrow_if_nested(error);
  } catch (...) {
    return is_out_of_memory(std::current_exception());
  }
  return false;
}

}  // namespace

bool is_out_of_memory(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const c10::OutOfMemoryError&) {
    return true;
  } catch (const c10::Error& failure) {
    return tells_of_memory(failure.what_without_backtrace());
  } catch (const std::exception& failure) {
    return tells_of_memory(failure.what()) || has_nested_out_of_memory(failure);
  } catch (...) {
    return false;
  }
}

}  // namespace troupe
