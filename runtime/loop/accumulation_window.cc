#include "troupe/runtime/loop/accumulation_window.h"

namespace troupe {

int64_t AccumulationWindow::batches_from_now() const {
  return loop_.accumulate_grad_batches() > 0 ? loop_.accumulate_grad_batches() : batches_;
}

int64_t AccumulationWindow::open() {
  if (!holds_batches() || loop_.window_batches() == 0) {
    loop_.set_window_batches(static_cast<uint32_t>(batches_from_now()));
  }
  return loop_.window_batches();
}

bool AccumulationWindow::add_batch(bool last_of_epoch) {
  const uint64_t batches = loop_.accumulated_batches() + 1;
  if (batches == loop_.window_batches() || last_of_epoch) {
    close();
    return true;
  }
  loop_.set_accumulated_batches(batches);
  return false;
}

void AccumulationWindow::close() {
  loop_.set_accumulated_batches(0);
  loop_.set_window_batches(0);
}

}  // namespace troupe
