#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// Memory for copies of a state that last as long as the fit: one mapping, in huge pages where the system gives them,
/// whose pages a thread of its own ("troupe-shadows") asks for while training has begun. Who writes to a page before it
/// has come waits for that page alone. Owned by the tensors that lie in it.
class ShadowMemory {
 public:
  /// Throws std::bad_alloc when the system gives no such mapping.
  explicit ShadowMemory(size_t bytes);
  /// Ends the thread, wherever it is.
  ~ShadowMemory();
  ShadowMemory(const ShadowMemory&) = delete;
  ShadowMemory& operator=(const ShadowMemory&) = delete;

  /// The next `bytes` of it, aligned to 64; the sum of what is taken, each rounded up to that, fits in the whole.
  std::byte* take(size_t bytes);
  static constexpr size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
  /// Has the pages made, in order: at once where they are few, else behind.
  void fill();
  /// Returns when all pages are there.
  void wait();

 private:
  static constexpr size_t kAlignment = 64;

  void fill_pages();

  std::byte* begin_;
  size_t bytes_;
  size_t taken_ = 0;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

/// Gives every shadow memory for tensors of the names, shapes and dtypes of `like`, as Snapshot::spare, so that a
/// capture copies into it. What of `like` is on another device than the CPU gets pinned memory. The shadows hold
/// nothing before. Returns at once; the pages come behind. What it returns lives in the tensors too.
std::shared_ptr<ShadowMemory> reserve_shadows(std::span<const std::shared_ptr<Snapshot>> shadows,
                                              const std::vector<NamedTensor>& like);

}  // namespace troupe
