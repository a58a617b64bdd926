#include "troupe/runtime/loop/accumulation_window.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("a step is due with the last batch of a window, or of an epoch") {
  v1::LoopState loop;
  AccumulationWindow window(loop, 3);
  CHECK(window.open() == 3);
  CHECK_FALSE(window.holds_batches());
  CHECK_FALSE(window.add_batch(false));
  CHECK(window.holds_batches());
  CHECK_FALSE(window.add_batch(false));
  CHECK(window.add_batch(false));
  CHECK_FALSE(window.holds_batches());
  CHECK(window.open() == 3);
  CHECK(window.add_batch(true));
  CHECK_FALSE(window.holds_batches());
}

TEST_CASE("a commanded number of batches counts from the next window on") {
  v1::LoopState loop;
  AccumulationWindow window(loop, 2);
  window.open();
  window.add_batch(false);
  loop.set_accumulate_grad_batches(1);
  CHECK(window.batches_from_now() == 1);
  CHECK(window.open() == 2);
  CHECK(window.add_batch(false));
  CHECK(window.open() == 1);
  CHECK(window.add_batch(false));
}

TEST_CASE("a window that holds no batch yet takes the number that is in force when its first one comes") {
  v1::LoopState loop;
  AccumulationWindow window(loop, 2);
  window.open();
  loop.set_accumulate_grad_batches(4);
  CHECK(window.open() == 4);
}

TEST_CASE("a window that was closed leaves nothing in the state") {
  v1::LoopState loop;
  AccumulationWindow window(loop, 2);
  window.open();
  window.add_batch(false);
  window.close();
  CHECK(loop.ByteSizeLong() == 0);
}
