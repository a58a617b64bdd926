#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// Owned bytes of a tensor, aligned to 64 bytes, not initialised.
class TensorBuffer {
 public:
  explicit TensorBuffer(size_t bytes);
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  ByteView view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_;
};

}  // namespace troupe
