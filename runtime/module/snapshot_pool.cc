#include "troupe/runtime/module/snapshot_pool.h"

#include <mutex>
#include <utility>
#include <vector>

namespace troupe {

struct SnapshotPool::Shelf {
  std::mutex mutex;
  std::vector<std::unique_ptr<Snapshot>> there;

  std::unique_ptr<Snapshot> take() {
    const std::lock_guard lock(mutex);
    if (there.empty()) {
      return nullptr;
    }
    auto taken = std::move(there.back());
    there.pop_back();
    return taken;
  }
  void put_back(std::unique_ptr<Snapshot> snapshot) {
    const std::lock_guard lock(mutex);
    there.push_back(std::move(snapshot));
  }
};

SnapshotPool::SnapshotPool() : shelf_(std::make_shared<Shelf>()) {
  shelf_->there.reserve(kShadows);  // So that giving back cannot fail.
  for (int i = 0; i < kShadows; ++i) {
    shelf_->there.push_back(std::make_unique<Snapshot>());
  }
}

std::shared_ptr<Snapshot> SnapshotPool::lend() {
  auto taken = shelf_->take();
  if (!taken) {
    return std::make_shared<Snapshot>();
  }
  return {taken.release(),
          [shelf = shelf_](Snapshot* snapshot) { shelf->put_back(std::unique_ptr<Snapshot>(snapshot)); }};
}

}  // namespace troupe
