#include "troupe/runtime/data/prefetcher.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <torch/torch.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/support/datasets.h"

using namespace troupe;
using namespace troupe::test;

TEST_CASE("begin in the middle of an epoch drops what was made ahead") {
  const auto plain = make_data_loader(noisy_dataset(40), {.batch_size = 2, .shuffle = true});
  const auto loader = make_data_loader(noisy_dataset(40), {.batch_size = 2, .num_workers = 3, .shuffle = true});
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    plain->begin(epoch, epoch % 20);
    loader->begin(epoch, epoch % 20);
    CHECK(loader->next().data.equal(plain->next().data));
  }
}

TEST_CASE("a loader may go at any time, with workers in the middle of a batch") {
  for (int i = 0; i < 20; ++i) {
    const auto loader = make_data_loader(noisy_dataset(1000), {.batch_size = 50, .num_workers = 2});
    if (i % 2 == 0) {
      loader->begin(0, 0);
    } else {
      CHECK(loader->next().size() == 50);
    }
  }
}

TEST_CASE("workers are named, take one intra-op thread each, and record no gradients") {
  const auto report = [](int64_t) {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    const int64_t worker = std::string(name.data()).rfind("troupe-loader-", 0) == 0 ? name[14] - '0' : -1;
    return torch::tensor({worker, int64_t{at::get_num_threads()}, int64_t{at::GradMode::is_enabled()}});
  };
  const auto loader = make_data_loader(std::make_shared<FunctionDataset>(8, report), {.num_workers = 2});
  for (const Batch& batch : rest_of_epoch(*loader)) {
    const auto row = batch.data[0];
    CHECK((row[0].item<int64_t>() == 0 || row[0].item<int64_t>() == 1));
    CHECK(row[1].item<int64_t>() == 1);
    CHECK(row[2].item<int64_t>() == 0);
  }
  CHECK(at::GradMode::is_enabled());
}

TEST_CASE("workers leave the intra-op thread count of every other thread as it was") {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const auto loader = make_data_loader(noisy_dataset(8), {.num_workers = 2});
  rest_of_epoch(*loader);
  CHECK(at::get_num_threads() == 2);
  int in_new_thread = 0;
  std::thread([&in_new_thread] { in_new_thread = at::get_num_threads(); }).join();
  CHECK(in_new_thread == 2);
  at::set_num_threads(before);
}

TEST_CASE("no more batches are made ahead than num_workers * prefetch_factor") {
  std::atomic<int64_t> made = 0;
  const auto count = [&made](int64_t) {
    ++made;
    made.notify_all();
    return torch::zeros({1});
  };
  auto loader =
      make_data_loader(std::make_shared<FunctionDataset>(1000, count), {.num_workers = 2, .prefetch_factor = 3});
  loader->next();
  loader->next();
  for (int64_t seen = made; seen < 6; seen = made) {
    made.wait(seen);
  }
  loader.reset();
  CHECK(made.load() <= 2 + 2 * 3);
}
