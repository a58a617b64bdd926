// What operators send to a run.
#include <doctest/doctest.h>

#include <thread>

#include "tests/support/actor_run.h"

using namespace troupe;

TEST_CASE("commands sent from several threads arrive, each sender's in order") {
  ActorRun run;
  run.start();
  constexpr int kSenders = 4;
  constexpr int kEach = 200;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&run, sender] {
      for (int i = 0; i < kEach; ++i) {
        v1::InputRecorded input;
        input.set_from(std::to_string(sender));
        input.mutable_command()->mutable_stop()->set_reason(std::to_string(i));
        run.inbox().send(std::move(input));
      }
    });
  }
  std::vector<int> next(kSenders, 0);
  int taken = 0;
  while (taken < kSenders * kEach) {
    run.system().wait_for_input();
    CHECK(run.system().has_inputs());
    for (const auto& input : run.system().take_inputs()) {
      CHECK(input.command().stop().reason() == std::to_string(next[static_cast<size_t>(std::stoi(input.from()))]++));
      ++taken;
    }
  }
  for (auto& sender : senders) {
    sender.join();
  }
  CHECK_FALSE(run.system().has_inputs());
  run.finish();
}
