#pragma once

#include <memory>

#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// Two snapshots that are lent in turn and keep their memory between two captures: shadows of the state. One comes back
/// when its last holder lets go of it, on whatever thread. Giving back and lending lock one mutex, so what the holder
/// has read is read before the memory is written again.
class SnapshotPool {
 public:
  static constexpr int kShadows = 2;

  SnapshotPool();

  /// One of the two, with what it held last; where both are lent, a new one that is freed afterwards.
  std::shared_ptr<Snapshot> lend();

 private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;  // Shared with the lent ones, which may come back after the pool is gone.
};

}  // namespace troupe
