#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "troupe/callbacks/finetuning/parameter_groups.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct BackboneFinetuningOptions {
  std::string backbone = "backbone";                         ///< Name of the submodule, as in named_modules().
  std::optional<double> backbone_initial_lr = std::nullopt;  ///< Its first learning rate; unset: by the ratio.
  double backbone_initial_ratio_lr = 0.1;                    ///< Its first learning rate, as a part of the others'.
  double lambda = 2.0;                      ///< What its learning rate is multiplied by from epoch to epoch.
  int64_t rounding = 12;                    ///< Decimals of the rates that are printed.
  bool should_align = true;                 ///< Its learning rate does not go beyond the others'.
  bool train_bn = true;                     ///< Its BatchNorms train from the start; otherwise never.
  int64_t unfreeze_backbone_at_epoch = 10;  ///< Epochs, from 0, that are trained without it.
  bool verbose = false;                     ///< Say on standard error which rates every epoch has.

  void describe(OptionVisitor& visit);
};

/// Fine-tuning: a submodule that has been trained before is frozen for some epochs, then trained with a small learning
/// rate that grows from epoch to epoch. Needs the submodule's parameters in parameter groups of their own, from the
/// start: split_parameter_groups() in configure_optimizers makes them. Freezing and rates are commands, so they are in
/// the log and in checkpoints; a schedule goes on to scale the rates within an epoch.
///
/// At the start of epoch u = unfreeze_backbone_at_epoch its rate is backbone_initial_lr, or backbone_initial_ratio_lr
/// times the others' (that of the first group without it); at the start of each later epoch lambda times what this
/// callback set last. With should_align a later rate is at most the others'.
///
/// With train_bn its BatchNorms are not frozen, and learn with the rate that their group is configured with. Without,
/// they are never unfrozen, and stay in eval mode: their running statistics do not change.
class BackboneFinetuning {
 public:
  explicit BackboneFinetuning(BackboneFinetuningOptions options = {});

  void on(const FitStarted& event, Live& live);
  void on(const TrainEpochStarted& event, Live& live);

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  double next_rate(double others_rate) const;
  void say_rates(uint32_t epoch, double rate, double others_rate) const;

  BackboneFinetuningOptions options_;
  std::optional<double> last_rate_;  // Once it is unfrozen.
};

}  // namespace troupe
