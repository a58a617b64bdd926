#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <utility>
#include <vector>

#include "tests/support/small_fit.h"

namespace troupe {

/// What is done to each fit before it runs or goes on.
using Prepare = std::function<void(SmallFit&)>;

/// Saves a checkpoint at every event that allows one, besides what is decided already.
inline void save_everywhere(SmallFit& fit) {
  for (const EventType type :
       {Event::kTrainEpochStarted, Event::kTrainBatchEnded, Event::kValidationEpochStarted,
        Event::kValidationBatchEnded, Event::kValidationEnded, Event::kTrainEpochEnded, Event::kTrainEnded}) {
    fit.sink.asked.set(type);
  }
  const auto others = fit.sink.decide;
  fit.sink.decide = [others](const Event& event) {
    auto decisions = others ? others(event) : std::vector<Decision>();
    Decision save{"saver", "Saver", {}};
    save.command.mutable_save_checkpoint()->set_path("x.ckpt");
    decisions.push_back(std::move(save));
    return decisions;
  };
}

/// Every checkpoint of a fit leads to where the fit ended, with the same events on the way.
inline void check_resumes_everywhere(const TrainerOptions& options,
                                     const std::function<OptimizerConfig(SmallModule&)>& configure,
                                     const Prepare& prepare = {}) {
  const auto prepared = [&](SmallFit& fit) {
    if (prepare) {
      prepare(fit);
    }
    save_everywhere(fit);
  };
  // Events that both have, but for their numbers: those of the rest of the fit are the last ones of the whole.
  const auto facts = [](const SmallFit& fit) {
    std::vector<std::string> bytes;
    for (const auto& event : fit.sink.events) {
      if (event->has_train_batch_ended() || event->has_train_epoch_ended() || event->has_validation_ended()) {
        Event copy = *event;
        copy.clear_elapsed_us();
        copy.clear_seq();
        bytes.push_back(copy.SerializeAsString());
      }
    }
    return bytes;
  };
  SmallFit whole(options, configure);
  prepared(whole);
  whole.run();
  const std::string wanted = whole.state_bytes();
  const auto wanted_facts = facts(whole);
  REQUIRE(whole.sink.snapshots.size() > 15);
  for (size_t i = 0; i < whole.sink.snapshots.size(); ++i) {
    CAPTURE(i);
    SmallFit resumed(options, configure);
    prepared(resumed);
    resumed.resume(*whole.sink.snapshots[i]);
    CHECK(resumed.state_bytes() == wanted);
    const auto rest = facts(resumed);
    REQUIRE(rest.size() <= wanted_facts.size());
    CHECK(std::equal(rest.rbegin(), rest.rend(), wanted_facts.rbegin()));
  }
}

/// The fold of the fit's events: what a reader of its log knows at the end.
inline RunState fold_of(const SmallFit& fit) {
  RunState state;
  for (const auto& event : fit.sink.events) {
    if (!event_info(event->body_case()).transient) {
      state.apply(*event);
    }
  }
  return state;
}

}  // namespace troupe
