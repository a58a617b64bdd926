#include "troupe/runtime/module/snapshot_pool.h"

#include <doctest/doctest.h>

#include <thread>

using namespace troupe;

TEST_CASE("two snapshots are lent in turn, and a third is made while both are held") {
  SnapshotPool pool;
  auto first = pool.lend();
  auto second = pool.lend();
  auto third = pool.lend();
  CHECK(first != second);
  CHECK(third != first);
  CHECK(third != second);
  const auto* freed = first.get();
  third.reset();
  first.reset();
  CHECK(pool.lend().get() == freed);
}

TEST_CASE("what one thread has read of a snapshot is read before another writes it again") {
  SnapshotPool pool;
  int64_t sum = 0;
  for (uint64_t round = 1; round <= 200; ++round) {
    auto lent = pool.lend();
    lent->elapsed_us = round;  // ThreadSanitizer's: a race with the reader of two rounds before.
    std::thread reader([&sum, held = std::move(lent)]() mutable {
      sum += static_cast<int64_t>(held->elapsed_us);
      held.reset();
    });
    auto other = pool.lend();
    other->elapsed_us = 0;
    reader.join();
  }
  CHECK(sum == 200 * 201 / 2);
}

TEST_CASE("a snapshot may come back after its pool is gone") {
  std::shared_ptr<Snapshot> lent;
  {
    SnapshotPool pool;
    lent = pool.lend();
  }
  lent->elapsed_us = 1;
  lent.reset();
}
