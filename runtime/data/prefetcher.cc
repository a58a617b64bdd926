#include "troupe/runtime/data/prefetcher.h"

#include <ATen/Parallel.h>
#include <pthread.h>

#include <latch>
#include <string>
#include <utility>

namespace troupe {
namespace {

/// "troupe-loader-K", as long as that fits the 15 characters that Linux gives a thread's name.
void name_this_thread(int worker) {
  constexpr size_t kNameMax = 15;
  std::string name = "troupe-loader-" + std::to_string(worker);
  if (name.size() > kNameMax) {
    name = "troupe-ldr-" + std::to_string(worker);
  }
  pthread_setname_np(pthread_self(), name.c_str());
}

}  // namespace

Prefetcher::Prefetcher(const std::shared_ptr<const Dataset>& dataset, const DataLoaderOptions& options)
    : capacity_(int64_t{options.num_workers} * options.prefetch_factor),
      batches_(BatchMaker(dataset, options).batches()),
      next_ticket_(batches_),
      next_result_(batches_),
      results_(static_cast<size_t>(capacity_)) {
  // LibTorch keeps the thread count of each thread and a default for threads to come. A worker sets both to 1; the
  // second is put back here before anything else can start a thread.
  const int intra_op_threads = at::get_num_threads();
  std::latch started(options.num_workers);
  try {
    for (int worker = 0; worker < options.num_workers; ++worker) {
      threads_.emplace_back([this, worker, &started, maker = BatchMaker(dataset, options)]() mutable {
        (void)at::get_num_threads();  // LibTorch 2 gives a thread the default at its first question; not after this.
        at::set_num_threads(1);
        started.count_down();
        work(worker, std::move(maker));
      });
    }
    started.wait();
  } catch (...) {
    stop();
    at::set_num_threads(intra_op_threads);
    throw;
  }
  at::set_num_threads(intra_op_threads);
}

Prefetcher::~Prefetcher() {
  stop();
}

void Prefetcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_available_.notify_all();
  threads_.clear();  // Joins.
}

void Prefetcher::begin(int64_t epoch, int64_t first_batch) {
  std::vector<std::optional<Result>> dropped(results_.size());
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    epoch_ = epoch;
    next_ticket_ = first_batch;
    next_result_ = first_batch;
    results_.swap(dropped);
  }
  work_available_.notify_all();
}

Batch Prefetcher::next() {
  std::unique_lock lock(mutex_);
  auto& slot = results_[static_cast<size_t>(next_result_ % capacity_)];
  result_available_.wait(lock, [&slot] { return slot.has_value(); });
  Result result = std::move(*slot);
  slot.reset();
  ++next_result_;
  // A wake costs this thread several microseconds: workers that sleep because the ring was full are woken when half of
  // it is free.
  const int64_t free = capacity_ - (next_ticket_ - next_result_);
  const bool wake = idle_workers_ > 0 && has_ticket() && 2 * free >= capacity_;
  lock.unlock();
  if (wake) {
    work_available_.notify_all();
  }
  if (result.error) {
    std::rethrow_exception(result.error);
  }
  return std::move(result.batch);
}

bool Prefetcher::has_ticket() const {
  return next_ticket_ < batches_ && next_ticket_ < next_result_ + capacity_;
}

std::optional<Prefetcher::Ticket> Prefetcher::wait_for_ticket() {
  std::unique_lock lock(mutex_);
  ++idle_workers_;
  work_available_.wait(lock, [this] { return stopping_ || has_ticket(); });
  --idle_workers_;
  if (stopping_) {
    return std::nullopt;
  }
  return Ticket{.generation = generation_, .epoch = epoch_, .batch = next_ticket_++};
}

void Prefetcher::deliver(const Ticket& ticket, Result result) {
  std::unique_lock lock(mutex_);
  if (ticket.generation != generation_) {
    return;
  }
  results_[static_cast<size_t>(ticket.batch % capacity_)] = std::move(result);
  const bool awaited = ticket.batch == next_result_;
  lock.unlock();
  if (awaited) {
    result_available_.notify_one();
  }
}

void Prefetcher::work(int worker, BatchMaker maker) {
  name_this_thread(worker);
  while (const auto ticket = wait_for_ticket()) {
    Result result;
    try {
      result.batch = maker.make(ticket->epoch, ticket->batch);
    } catch (...) {
      result.error = std::current_exception();
    }
    deliver(*ticket, std::move(result));
  }
}

}  // namespace troupe
