#include "troupe/callbacks/averaging/ema_weight_averaging.h"

#include <torch/torch.h>

#include <algorithm>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// A validation, or a fit's end, by itself has nothing to do with the average of a fit.
bool is_averaged_fit(const Live& live) {
  return live.run().run_stage() == v1::STAGE_FIT;
}

}  // namespace

void EMAWeightAveragingOptions::describe(OptionVisitor& visit) {
  visit("decay", decay, "Part of the average that an update keeps.").at_least(0).at_most(1);
  visit("update_every_n_steps", update_every_n_steps,
        "Optimizer steps between updates: after steps 0, n, 2n, ...; 0: not by steps.")
      .at_least(0);
  visit("update_starting_at_epoch", update_starting_at_epoch,
        "Epoch, from 0, from which on the end of every epoch is an update too; none: none is.")
      .at_least(0);
  visit("update_starting_at_step", update_starting_at_step,
        "First optimizer step, from 0, to update after; none: the first.")
      .at_least(0);
  visit("use_buffers", use_buffers, "Average buffers too; otherwise the average has those of its last update.");
}

void EMAWeightAveragingOptions::validate() const {
  if (update_every_n_steps == 0 && !update_starting_at_epoch) {
    throw ConfigError("'update_every_n_steps' = 0 needs 'update_starting_at_epoch': there would be no update");
  }
}

EMAWeightAveraging::EMAWeightAveraging(EMAWeightAveragingOptions options) : options_(options) {
  check_options("EMAWeightAveraging", options_);
}

std::vector<AskWhen> EMAWeightAveraging::ask_when() const {
  return {troupe::ask_when<TrainBatchEnded>({.every_n_steps = 1}),
          troupe::ask_when<ValidationStarted>({.sanity_checking = false}),
          troupe::ask_when<ValidationEnded>({.sanity_checking = false})};
}

void EMAWeightAveraging::on(const SetUp& event, Live& live) {
  if (event.stage() == v1::STAGE_FIT && !average_.bind(live.module())) {
    seen_steps_ = static_cast<int64_t>(live.run().global_step());
    finished_ = false;
  }
}

void EMAWeightAveraging::on(const TrainEpochStarted&, Live&) {
  if (finished_) {  // A run that goes on after its end.
    average_.swap();
    finished_ = false;
  }
}

void EMAWeightAveraging::on(const TrainBatchEnded&, Live& live) {
  update_after_steps(live.run().global_step());
}

void EMAWeightAveraging::on(const ValidationStarted&, Live& live) {
  if (is_averaged_fit(live) && average_.updates() > 0) {
    average_.swap();
  }
}

void EMAWeightAveraging::on(const ValidationEnded&, Live& live) {
  if (is_averaged_fit(live)) {
    end_validation();
  }
}

void EMAWeightAveraging::on(const TrainEpochEnded&, Live& live) {
  update_after_steps(live.run().global_step());  // A step that a skipped epoch ends with has no batch's event.
  const auto& first = options_.update_starting_at_epoch;
  if (first && static_cast<int64_t>(live.run().epoch()) >= *first) {
    update();
  }
}

void EMAWeightAveraging::on(const TrainEnded&, Live&) {
  if (average_.updates() > 0) {
    average_.swap();
    finished_ = true;
  }
}

void EMAWeightAveraging::on(const ExceptionRaised&, Live& live) {
  if (is_averaged_fit(live)) {
    end_validation();
  }
}

void EMAWeightAveraging::on(const TornDown&, Live& live) {
  if (is_averaged_fit(live)) {
    end_validation();
  }
}

void EMAWeightAveraging::end_validation() {
  if (average_.swapped() && !finished_) {
    average_.swap();
  }
}

void EMAWeightAveraging::update_after_steps(uint64_t global_step) {
  const auto steps = static_cast<int64_t>(global_step);
  if (asks_for_update(seen_steps_, steps)) {
    update();
  }
  seen_steps_ = steps;
}

bool EMAWeightAveraging::asks_for_update(int64_t first_step, int64_t end_step) const {
  const int64_t period = options_.update_every_n_steps;
  if (period == 0) {
    return false;
  }
  const int64_t first = std::max(first_step, options_.update_starting_at_step.value_or(0));
  const int64_t next = (first + period - 1) / period * period;
  return next < end_step;
}

void EMAWeightAveraging::update() {
  average_.update(options_.use_buffers,
                  [decay = options_.decay](at::Tensor& average, const at::Tensor& value, int64_t) {
                    average.mul_(decay).add_(value, 1 - decay);
                  });
}

StateDict EMAWeightAveraging::state_dict() const {
  StateDict state;
  state.set("average", average_.state_dict());
  state.set("seen_steps", seen_steps_);
  state.set("finished", finished_);
  return state;
}

void EMAWeightAveraging::load_state_dict(const StateDict& state) {
  average_.load_state_dict(state.get_dict("average"));
  seen_steps_ = state.get_int("seen_steps");
  finished_ = state.get_bool("finished");
}

}  // namespace troupe
