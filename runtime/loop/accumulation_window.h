#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstdint>

namespace troupe {

/// The batches that share one optimizer step: what LoopState holds of them, and when the step is due.
class AccumulationWindow {
 public:
  /// `batches`: in a window, unless LoopState has another number, as commanded. `loop` must outlive it.
  AccumulationWindow(v1::LoopState& loop, int64_t batches) : loop_(loop), batches_(batches) {}

  /// Batches of a window that opens now.
  int64_t batches_from_now() const;
  /// Opens one unless there is one that a batch has been added to; the batches that it is to have.
  int64_t open();
  /// Whether it has batches that no step has been made with.
  bool holds_batches() const { return loop_.accumulated_batches() > 0; }
  /// Adds a batch of the open window, which is closed if it is full now or if this is the epoch's last batch. Whether
  /// it was closed: then a step is due.
  bool add_batch(bool last_of_epoch);
  /// Closes it as it is.
  void close();

 private:
  v1::LoopState& loop_;
  int64_t batches_;
};

}  // namespace troupe
