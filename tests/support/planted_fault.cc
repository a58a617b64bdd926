// Commits the one fault that its argument names, so that a sanitizer build shows that it sees such faults: two actors
// that write to one variable (race), a read of freed memory (use_after_free), a signed overflow (overflow).
#include <caf/all.hpp>
#include <iostream>
#include <latch>
#include <limits>
#include <memory>
#include <string_view>

namespace {

/// Two actors that write to one variable, with nothing between them once both have started.
int commit_race() {
  caf::actor_system_config config;
  caf::actor_system system(config);
  int shared = 0;
  std::latch both_started(2);
  const auto writer = [&](caf::event_based_actor* /*self*/) -> caf::behavior {
    return {[&](int by) {
      both_started.arrive_and_wait();
      for (int i = 0; i < 1000; ++i) {
        shared += by;
      }
    }};
  };
  const auto first = system.spawn<caf::detached>(writer);
  const auto second = system.spawn<caf::detached>(writer);
  for (const auto& actor : {first, second}) {
    caf::anon_send(actor, 1);
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }
  system.await_all_actors_done();
  return 0;
}

int read_freed() {
  auto owner = std::make_unique<int>(7);
  const volatile int* freed = owner.get();
  owner.reset();
  return *freed;
}

int overflow(int by) {
  volatile int largest = std::numeric_limits<int>::max();
  return largest + by;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view fault = argc == 2 ? argv[1] : "";
  if (fault == "race") {
    return commit_race();
  }
  if (fault == "use_after_free") {
    return read_freed();
  }
  if (fault == "overflow") {
    return overflow(argc);
  }
  std::cerr << "usage: planted_fault race|use_after_free|overflow\n";
  return 2;
}
