#include "troupe/callbacks/finetuning/backbone_finetuning.h"

#include <torch/torch.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// With the callback's name before what is wrong.
template <class Find>
auto found_for_finetuning(const Find& find) {
  try {
    return find();
  } catch (const ConfigError& error) {
    throw ConfigError(std::string("BackboneFinetuning: ") + error.what());
  }
}

double rate_of_group(Live& live, size_t wanted) {
  size_t index = 0;
  for (torch::optim::Optimizer& optimizer : live.optimizers()) {
    for (auto& group : optimizer.param_groups()) {
      if (index++ == wanted) {
        return group.options().get_lr();
      }
    }
  }
  throw ConfigError("BackboneFinetuning: parameter group " + std::to_string(wanted) + " is gone");
}

}  // namespace

void BackboneFinetuningOptions::describe(OptionVisitor& visit) {
  visit("backbone", backbone, "Name of the submodule that is frozen first.").required();
  visit("backbone_initial_lr", backbone_initial_lr, "Its first learning rate; none: by the ratio.").greater_than(0);
  visit("backbone_initial_ratio_lr", backbone_initial_ratio_lr,
        "Its first learning rate, as a part of the other parameters'.")
      .greater_than(0);
  visit("lambda", lambda, "What its learning rate is multiplied by from epoch to epoch.").greater_than(0);
  visit("rounding", rounding, "Decimals of the rates that are printed.").at_least(0).at_most(17);
  visit("should_align", should_align, "Its learning rate does not grow beyond the other parameters'.");
  visit("train_bn", train_bn, "Its BatchNorms train from the start; otherwise never.");
  visit("unfreeze_backbone_at_epoch", unfreeze_backbone_at_epoch, "Epoch, from 0, that unfreezes it.").at_least(0);
  visit("verbose", verbose, "Say on standard error which rates every epoch has.");
}

BackboneFinetuning::BackboneFinetuning(BackboneFinetuningOptions options) : options_(std::move(options)) {
  check_options("BackboneFinetuning", options_);
}

void BackboneFinetuning::on(const FitStarted&, Live& live) {
  last_rate_.reset();
  const auto parameters =
      found_for_finetuning([&] { return find_submodule_parameters(live.module(), options_.backbone); });
  found_for_finetuning([&] { return find_submodule_groups(live.module(), options_.backbone, live.optimizers()); });
  std::vector<std::string> frozen = parameters.others;
  if (!options_.train_bn) {
    set_batch_norm_training(live.module(), options_.backbone, /*training=*/false);
    frozen.insert(frozen.end(), parameters.batch_norm.begin(), parameters.batch_norm.end());
  }
  if (!frozen.empty()) {
    live.control().freeze(frozen);
  }
}

void BackboneFinetuning::on(const TrainEpochStarted&, Live& live) {
  const RunState& run = live.run();
  if (static_cast<int64_t>(run.epoch()) < options_.unfreeze_backbone_at_epoch) {
    return;
  }
  const auto groups =
      found_for_finetuning([&] { return find_submodule_groups(live.module(), options_.backbone, live.optimizers()); });
  if (!last_rate_) {
    const auto parameters =
        found_for_finetuning([&] { return find_submodule_parameters(live.module(), options_.backbone); });
    if (!parameters.others.empty()) {
      live.control().unfreeze(parameters.others);
    }
  }
  const double others_rate = rate_of_group(live, groups.first_other);
  last_rate_ = next_rate(others_rate);
  for (const size_t group : groups.below) {
    live.control().set_learning_rate(*last_rate_, run.learning_rates().at(group).name());
  }
  say_rates(run.epoch(), *last_rate_, others_rate);
}

double BackboneFinetuning::next_rate(double others_rate) const {
  if (!last_rate_) {
    return options_.backbone_initial_lr.value_or(others_rate * options_.backbone_initial_ratio_lr);
  }
  const double grown = options_.lambda * *last_rate_;
  return options_.should_align ? std::min(grown, others_rate) : grown;
}

void BackboneFinetuning::say_rates(uint32_t epoch, double rate, double others_rate) const {
  if (options_.verbose) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(static_cast<int>(options_.rounding)) << "BackboneFinetuning: epoch "
         << epoch << " trains '" << options_.backbone << "' with the rate " << rate << ", the others with "
         << others_rate << '\n';
    std::cerr << text.str();
  }
}

StateDict BackboneFinetuning::state_dict() const {
  StateDict state;
  if (last_rate_) {
    state.set("last_rate", *last_rate_);
  }
  return state;
}

void BackboneFinetuning::load_state_dict(const StateDict& state) {
  last_rate_ = state.contains("last_rate") ? std::optional(state.get_double("last_rate")) : std::nullopt;
}

}  // namespace troupe
