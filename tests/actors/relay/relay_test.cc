#include "troupe/actors/relay/relay.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/support/temporary_folder.h"
#include "tests/support/tensor_stand_ins.h"
#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;

namespace {

struct BatchStartWatcher {
  void on(const TrainBatchStarted& /*event*/) {}
};

}  // namespace

TEST_CASE("who awaits the relay's turn goes on when all of it has been handed on, and not before") {
  const TemporaryFolder folder;
  const auto queue = std::make_shared<EventQueue>(16);
  Subscriber watcher;
  const auto slot = std::make_shared<CallbackSlot<BatchStartWatcher>>(
      CallbackSlot<BatchStartWatcher>{std::make_shared<BatchStartWatcher>()});
  std::shared_ptr<Callback> callback = make_callback(slot, {}, {});
  watcher.info = callback->info();
  watcher.host = std::make_shared<CallbackHost>(
      callback, CallbackHost::Surroundings{queue, folder.path(), [] {}, std::make_shared<const RunState>(), {}});
  watcher.host->lane().detach();  // There is no actor to wake.

  std::promise<void> in_turn;
  std::promise<void> release;
  Relay::Options options;
  options.bytes_of = [&](const StepOutputs&) {
    in_turn.set_value();
    release.get_future().wait();
    return int64_t{0};
  };
  Relay relay(queue, RunState(), {watcher}, {}, {}, std::make_shared<LogCredit>(16), std::make_shared<RunFailure>(), {},
              std::move(options));
  auto event = std::make_shared<Event>();
  event->set_elapsed_us(1);
  event->mutable_train_batch_started();
  queue->push(std::move(event), std::make_shared<const StepOutputs>(StepOutputs{0}));
  std::thread relaying([&] { relay.work(); });
  in_turn.get_future().wait();

  std::atomic<bool> waits = false;
  std::atomic<bool> goes_on = false;
  std::thread waiting([&] {
    waits = true;
    relay.await_turn();
    goes_on = true;
  });
  while (!waits) {
    std::this_thread::yield();
  }
  for (int i = 0; i < 10000; ++i) {  // Time to go on, if it did not wait.
    std::this_thread::yield();
  }
  CHECK_FALSE(goes_on);
  release.set_value();
  relaying.join();
  waiting.join();
  CHECK(goes_on);
}
