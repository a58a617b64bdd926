#include "troupe/callbacks/monitoring/lambda_callback.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/support/fake_run.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

CallbackInfo info_of(const LambdaCallback& callback) {
  return make_callback(std::make_shared<LambdaCallback>(callback))->info();
}

}  // namespace

TEST_CASE("a LambdaCallback calls the function of a hook with the event and the state after it") {
  std::vector<std::string> seen;
  LambdaCallback callback{
      .on_train_batch_end = [&](const TrainBatchEnded& event,
                                const RunState&) { seen.push_back(std::to_string(event.metrics_size())); },
      .on_train_epoch_end =
          [&](const TrainEpochEnded&, const RunState& run) {
            seen.push_back("epoch " + std::to_string(run.metrics().at("loss")));
          }};
  FakeRun run(std::make_shared<LambdaCallback>(callback));
  run.start_fit();
  run.train_batch({{"loss", 2}, {"accuracy", 1}});
  run.end_epoch({{"loss", 0.5}});
  CHECK(seen == std::vector<std::string>{"2", "epoch 0.500000"});
}

TEST_CASE("only the events of functions that are set are delivered") {
  CHECK(info_of({}).observes.none());
  const CallbackInfo info = info_of({.on_before_zero_grad = [](const ZeroGradStarted&, const RunState&) {},
                                     .setup = [](const SetUp&, const RunState&) {}});
  CHECK(info.observes.count() == 2);
  CHECK(info.observes[Event::kZeroGradStarted]);
  CHECK(info.observes[Event::kSetUp]);
  CHECK(info.run_state == info.observes);
  CHECK_FALSE(info.decides());
}

TEST_CASE("a LambdaCallback has every hook of Lightning's that an event has, under its name") {
  std::map<std::string, std::string> members;
#define TROUPE_ADD_MEMBER(hook, Message) members[#hook] = #Message;
  TROUPE_LAMBDA_HOOKS(TROUPE_ADD_MEMBER)
#undef TROUPE_ADD_MEMBER
  std::map<std::string, std::string> events;
  for (const auto& event : all_event_infos()) {
    if (!event.hook.empty()) {
      events[event.hook] = event.name;
    }
  }
  CHECK(members == events);
}
