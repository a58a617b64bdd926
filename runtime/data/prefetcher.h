#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "troupe/runtime/data/batch_maker.h"

namespace troupe {

/// Worker threads that make the coming batches of an epoch ahead of time, each a whole batch at a time, and hand them
/// out in order. begin() and next() belong to one thread. A batch that a worker is making when begin() or the
/// destructor comes is finished and dropped; the destructor waits for it.
class Prefetcher {
 public:
  /// Starts options.num_workers >= 1 threads, which wait for begin().
  Prefetcher(const std::shared_ptr<const Dataset>& dataset, const DataLoaderOptions& options);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// Drops what was made ahead and turns to the batches from `first_batch` to the end of `epoch`.
  void begin(int64_t epoch, int64_t first_batch);
  /// The next batch of the epoch; waits for it. There must be one. Throws what making it threw.
  Batch next();

 private:
  /// A batch that was made, or why it could not be.
  struct Result {
    Batch batch;
    std::exception_ptr error;
  };
  /// A batch that a worker took on. `generation` counts the calls of begin(): the result of an older one is dropped.
  struct Ticket {
    uint64_t generation;
    int64_t epoch;
    int64_t batch;
  };

  void stop();
  void work(int worker, BatchMaker maker);
  std::optional<Ticket> wait_for_ticket();
  void deliver(const Ticket& ticket, Result result);
  bool has_ticket() const;

  const int64_t capacity_;  ///< Batches that may be ready or in the making.
  const int64_t batches_;   ///< In an epoch.

  std::mutex mutex_;  ///< Guards all that follows but the threads.
  std::condition_variable work_available_;
  std::condition_variable result_available_;
  bool stopping_ = false;
  uint64_t generation_ = 0;
  int64_t epoch_ = 0;
  int64_t next_ticket_;  ///< First batch that no worker has taken on.
  int64_t next_result_;  ///< First batch that next() has not given.
  int idle_workers_ = 0;
  std::vector<std::optional<Result>> results_;  ///< Ring: batch b is at b mod capacity_.

  std::vector<std::jthread> threads_;
};

}  // namespace troupe
