#include "troupe/actors/mailbox/event_queue.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace troupe;
using std::chrono::microseconds;

namespace {

std::shared_ptr<Event> event(uint64_t number) {
  auto event = std::make_shared<Event>();
  event->set_seq(number);
  return event;
}

}  // namespace

TEST_CASE("events come out in the order in which they went in") {
  EventQueue queue(8);
  for (uint64_t i = 0; i < 3; ++i) {
    queue.push(event(i));
  }
  std::vector<QueueItem> items;
  CHECK(queue.wait(microseconds(0)));
  queue.take(items);
  REQUIRE(items.size() == 3);
  for (uint64_t i = 0; i < 3; ++i) {
    CHECK(items[i].event->seq() == i);
  }
}

TEST_CASE("a full queue makes the pusher wait until it is emptied, and counts that") {
  EventQueue queue(2);
  queue.push(event(0));
  queue.push(event(1));
  std::thread pusher([&] { queue.push(event(2)); });
  std::vector<QueueItem> all;
  while (all.size() < 3) {
    std::vector<QueueItem> items;
    queue.wait(microseconds(100));
    queue.take(items);
    all.insert(all.end(), items.begin(), items.end());
  }
  pusher.join();
  CHECK(all.back().event->seq() == 2);
  CHECK(queue.waits() <= 1);
}

TEST_CASE("a request is taken at once, whatever the patience") {
  EventQueue queue(8);
  queue.push(QueueItem{nullptr, std::make_shared<RelayRequest>()});
  std::vector<QueueItem> items;
  CHECK(queue.wait(std::chrono::hours(1)));
  queue.take(items);
  CHECK(items.size() == 1);
}

TEST_CASE("a closed queue gives out what it holds, takes nothing more and frees who waits") {
  EventQueue queue(1);
  queue.push(event(0));
  bool pushed = true;
  std::thread pusher([&] { pushed = queue.push(event(1)); });
  while (queue.waits() == 0) {
    std::this_thread::yield();
  }
  queue.close();
  pusher.join();
  CHECK_FALSE(pushed);
  std::vector<QueueItem> items;
  CHECK(queue.wait(microseconds(0)));
  queue.take(items);
  CHECK(items.size() == 1);
  items.clear();
  CHECK_FALSE(queue.wait(microseconds(0)));
}
