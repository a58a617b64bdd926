#include "troupe/callbacks/tuning/batch_size_finder.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include "troupe/callbacks/tuning/out_of_memory.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"

namespace troupe {
namespace {

constexpr double kBatchSizeMax = 1 << 30;  // SetBatchSize has 32 bits, and sizes are doubled.

bool is_to_search(const FitStarted& fit) {
  return !fit.fast_dev_run() && fit.train_batches() > 0 && fit.max_epochs() != 0 && fit.max_steps() != 0;
}

}  // namespace

void BatchSizeFinderOptions::describe(OptionVisitor& visit) {
  visit("init_val", init_val, "Samples per batch of the first try.").at_least(1).at_most(kBatchSizeMax);
  visit("margin", margin, "Share of the size that binsearch leaves unused as a reserve.").at_least(0).less_than(1);
  visit("max_trials", max_trials, "Sizes that are tried, at most.").at_least(1);
  visit("max_val", max_val, "Largest size that is tried, in samples per batch.").at_least(1).at_most(kBatchSizeMax);
  visit("mode", mode, "Double until memory is over (power), or bisect after that (binsearch).");
  visit("steps_per_trial", steps_per_trial, "Optimizer steps with each size.").at_least(1);
  visit("verbose", verbose, "Say on standard error what was found.");
}

void BatchSizeFinderOptions::validate() const {
  if (init_val > max_val) {
    throw ConfigError("'init_val' must be at most 'max_val', got " + std::to_string(init_val) + " and " +
                      std::to_string(max_val));
  }
}

BatchSizeFinder::BatchSizeFinder(BatchSizeFinderOptions options) : options_(std::move(options)) {
  check_options("BatchSizeFinder", options_);
}

void BatchSizeFinder::on(const FitStarted& event, Live& live) {
  batch_size_.reset();
  if (!is_to_search(event)) {
    return;
  }
  const Outcome outcome = search(live);
  batch_size_ = usable_size(outcome);
  live.control().set_batch_size(*batch_size_);
  live.control().emit(
      make_user_event("BatchSizeFound", {{"batch_size", *batch_size_}, {"sizes_tried", outcome.tried}}));
  if (options_.verbose) {
    std::cerr << "BatchSizeFinder: batches of " + std::to_string(*batch_size_) + " samples (" +
                     std::to_string(outcome.tried) + " sizes tried)\n";
  }
}

BatchSizeFinder::Outcome BatchSizeFinder::search(Live& live) const {
  BatchSizeSearch search(options_.mode,
                         {.first = options_.init_val, .max = options_.max_val, .trials = options_.max_trials});
  Outcome outcome;
  while (const auto size = search.next()) {
    try_size(live, *size, search, outcome);
    ++outcome.tried;
  }
  outcome.largest = search.result();
  return outcome;
}

void BatchSizeFinder::try_size(Live& live, int64_t size, BatchSizeSearch& search, Outcome& outcome) const {
  bool has_batches = false;
  int64_t samples = 0;
  TrialOptions trial{.batch_size = size, .steps = options_.steps_per_trial};
  trial.learning_rate = [&](int64_t) {
    has_batches = true;  // It is asked for when the loader is there, before the first batch.
    return 0.0;          // Takes as much memory as any other rate, and no weights go astray.
  };
  trial.after_step = [&](const TrialStep& step) {
    samples = std::max(samples, step.batch_size);
    return true;
  };
  try {
    live.run_trial(trial);
    search.fitted(size, samples);
  } catch (const ConfigError&) {
    if (has_batches || !search.result()) {
      throw;
    }
    search.failed(size);  // The loader, which has made smaller batches, has no batch of this size: drop_last.
  } catch (...) {
    if (!is_out_of_memory(std::current_exception())) {
      throw;
    }
    outcome.out_of_memory = std::current_exception();
    search.failed(size);
  }
}

int64_t BatchSizeFinder::usable_size(const Outcome& outcome) const {
  if (!outcome.largest) {
    if ((options_.init_val >> outcome.tried) > 0) {  // There was more to halve.
      throw ConfigError("BatchSizeFinder: none of " + std::to_string(outcome.tried) + " sizes from 'init_val' = " +
                        std::to_string(options_.init_val) + " down fits into memory: make it smaller");
    }
    std::rethrow_exception(outcome.out_of_memory);
  }
  if (options_.mode == BatchSizeMode::kPower || outcome.out_of_memory == nullptr) {
    return *outcome.largest;
  }
  const double kept = std::floor(static_cast<double>(*outcome.largest) * (1 - options_.margin));
  return std::max<int64_t>(1, static_cast<int64_t>(kept));
}

StateDict BatchSizeFinder::state_dict() const {
  StateDict state;
  batch_size_ ? state.set("batch_size", *batch_size_) : state.set_none("batch_size");
  return state;
}

void BatchSizeFinder::load_state_dict(const StateDict& state) {
  batch_size_ = state.is_none("batch_size") ? std::nullopt : std::optional(state.get_int("batch_size"));
}

}  // namespace troupe
