#pragma once

#include <map>
#include <string>

#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// Copies tensors into a snapshot, into the memory that it had for those of the same name, dtype and shape before: its
/// pages are there then, and a copy costs what a memcpy does. What is on another device is copied behind, into pinned
/// memory: see Snapshot::device_copies. Begins with the snapshot empty. For the time of one capture.
class TensorCopies {
 public:
  explicit TensorCopies(Snapshot& snapshot);
  /// What was not asked for again keeps its memory: an accumulation window's gradients come and go.
  ~TensorCopies();
  TensorCopies(const TensorCopies&) = delete;
  TensorCopies& operator=(const TensorCopies&) = delete;

  void add(const std::string& name, const at::Tensor& tensor);
  /// The end of the capture: from here on the originals may change. Throws c10::Error when a device fails.
  void finish() { snapshot_.device_copies.fence(); }

 private:
  Snapshot& snapshot_;
  std::map<std::string, at::Tensor> spare_;
};

}  // namespace troupe
