#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "troupe/callbacks/finetuning/pruning_masks.h"
#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct ModelPruningOptions {
  CountOrFraction amount = 0.5;  ///< Pruned each time, of what has not been: a count, or a fraction.
  /// The same for each epoch, from 0, by its place; 0 prunes nothing, and so does an epoch beyond the last. Empty:
  /// `amount` every epoch.
  std::vector<CountOrFraction> amounts = {};
  std::vector<std::string> parameter_names = {"weight", "bias"};  ///< Last parts of the names of those to prune.
  std::vector<std::string> parameters_to_prune = {};  ///< Names, or submodules; empty: all of these last parts.
  bool prune_on_train_epoch_end = true;               ///< After every epoch; otherwise after every validation.
  std::optional<int64_t> pruning_dim = std::nullopt;  ///< Dimension of the channels; for structured functions.
  PruningFunction pruning_fn = PruningFunction::kL1Unstructured;
  std::optional<double> pruning_norm = std::nullopt;  ///< n of ln_structured; infinity for the maximum.
  uint64_t seed = 0;                                  ///< Of the random functions.
  bool use_global_unstructured = true;                ///< Choose among the elements of all parameters together.
  bool use_lottery_ticket_hypothesis = false;         ///< What is left goes back to the values of the start.
  int64_t verbose = 0;  ///< 1: say on standard error what each time came to; 2: by parameter too.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Prunes parameters in the course of a fit: sets more and more of their elements to 0, and keeps them there. The
/// gradients of pruned elements are dropped before each optimizer step (and so do not count when gradients are
/// clipped), and what a step makes of the elements is set to 0 after it. So the module's parameters are the pruned ones
/// at all times, in checkpoints, in validations and when training has ended; nothing has to be made permanent.
///
/// With use_lottery_ticket_hypothesis the elements that are left go back to the values that they had when the fit
/// started, each time (Frankle and Carbin, "The lottery ticket hypothesis", ICLR 2019). The state has which elements
/// are pruned, and those values.
class ModelPruning {
 public:
  explicit ModelPruning(ModelPruningOptions options = {});

  void on(const SetUp& event, Live& live);
  void on(const OptimizerStepStarted& event, Live& live);
  void on(const TrainBatchEnded& event, Live& live);
  void on(const ValidationStarted& event, Live& live);
  void on(const ValidationEnded& event, Live& live);
  void on(const TrainEpochEnded& event, Live& live);
  std::vector<AskWhen> ask_when() const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  /// Finds the parameters. Throws ConfigError when there are none.
  void find_parameters(const torch::nn::Module& module);
  bool takes(const std::string& parameter) const;
  /// Goes on with what load_state_dict() has given, which must be of these parameters: MismatchError.
  void take_up();
  void begin();
  void prune(const RunState& run);
  void apply_masks();
  void rewind();
  /// Elements that are pruned, by parameter.
  std::vector<int64_t> pruned_elements() const;
  void say(const RunState& run, const std::vector<int64_t>& before) const;

  ModelPruningOptions options_;
  std::vector<NamedTensor> parameters_;  // The module's own.
  std::vector<NamedTensor> pruned_;      // Bool, of their shapes; true where an element is pruned.
  std::vector<NamedTensor> initial_;     // Their values at the start; empty unless they go back there.
  int64_t rounds_ = 0;                   // How often it has pruned.
  bool loaded_ = false;                  // Since the last SetUp.
};

}  // namespace troupe
