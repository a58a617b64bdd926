#include "troupe/runtime/module/shadow_memory.h"

#include <pthread.h>
#include <sys/mman.h>
#include <torch/torch.h>

#include <algorithm>
#include <cassert>
#include <new>

namespace troupe {
namespace {

constexpr size_t kHugePageBytes = 2U << 20;
// So much is asked for at once: a few milliseconds, after which the end of a fit may come in between.
constexpr size_t kPieceBytes = 16 * kHugePageBytes;

#ifndef MADV_POPULATE_WRITE  // Linux 5.14; refused by older ones, where pages come as they are written to.
#define MADV_POPULATE_WRITE 23
#endif

at::Tensor tensor_in(const std::shared_ptr<ShadowMemory>& memory, const at::Tensor& like) {
  if (!like.is_cpu()) {
    return empty_pinned(like);
  }
  return torch::from_blob(
      memory->take(like.nbytes()), like.sizes(), [memory](void* /*data*/) {}, torch::dtype(like.scalar_type()));
}

}  // namespace

ShadowMemory::ShadowMemory(size_t bytes) : bytes_(std::max<size_t>(bytes, 1)) {
  void* const mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    throw std::bad_alloc();
  }
  begin_ = static_cast<std::byte*>(mapped);
  ::madvise(begin_, bytes_, MADV_HUGEPAGE);  // Where there are none, small pages do.
}

ShadowMemory::~ShadowMemory() {
  stopped_ = true;
  wait();
  ::munmap(begin_, bytes_);
}

std::byte* ShadowMemory::take(size_t bytes) {
  std::byte* const piece = begin_ + taken_;
  taken_ += rounded(bytes);
  assert(taken_ <= bytes_);
  return piece;
}

void ShadowMemory::fill() {
  if (bytes_ <= kPieceBytes) {
    fill_pages();
    return;
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "troupe-shadows");
    fill_pages();
  });
}

void ShadowMemory::fill_pages() {
  for (size_t done = 0; done < bytes_ && !stopped_; done += kPieceBytes) {
    if (::madvise(begin_ + done, std::min(kPieceBytes, bytes_ - done), MADV_POPULATE_WRITE) != 0) {
      return;
    }
  }
}

void ShadowMemory::wait() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::shared_ptr<ShadowMemory> reserve_shadows(std::span<const std::shared_ptr<Snapshot>> shadows,
                                              const std::vector<NamedTensor>& like) {
  size_t bytes = 0;
  for (const auto& named : like) {
    bytes += named.tensor.is_cpu() ? ShadowMemory::rounded(named.tensor.nbytes()) : 0;
  }
  auto memory = std::make_shared<ShadowMemory>(bytes * shadows.size());
  for (const auto& shadow : shadows) {
    for (const auto& named : like) {
      shadow->spare.push_back({named.name, tensor_in(memory, named.tensor)});
    }
  }
  memory->fill();
  return memory;
}

}  // namespace troupe
