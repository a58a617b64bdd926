#include "troupe/callbacks/finetuning/model_pruning.h"

#include <torch/torch.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/random_key.h"
#include "troupe/runtime/module/tensor_state.h"
#include "troupe/runtime/options/parameter_name.h"

namespace troupe {
namespace {

/// "0.weight" and "weight" end in "weight".
bool ends_in(const std::string& parameter, const std::string& last_part) {
  return parameter == last_part || parameter.ends_with("." + last_part);
}

bool prunes_nothing(const CountOrFraction& amount) {
  return amount.value() == 0;
}

/// The tensors of `saved` in the order of `parameters`, on their devices.
std::vector<NamedTensor> in_order_of(const std::vector<NamedTensor>& parameters,
                                     const std::vector<NamedTensor>& saved) {
  std::vector<NamedTensor> ordered;
  for (const auto& parameter : parameters) {
    const at::Tensor* const tensor = find_tensor(saved, parameter.name);
    if (tensor == nullptr || tensor->sizes() != parameter.tensor.sizes() || saved.size() != parameters.size()) {
      throw MismatchError("ModelPruning: the checkpoint has no mask for the parameter '" + parameter.name +
                          "' of this shape, or masks for others: it was saved with other options, or another model");
    }
    ordered.push_back({parameter.name, tensor->to(parameter.tensor.device())});
  }
  return ordered;
}

void say_share(std::ostream& text, int64_t before, int64_t after, int64_t all) {
  const auto percent = [all](int64_t part) { return 100.0 * static_cast<double>(part) / static_cast<double>(all); };
  text << std::fixed << std::setprecision(2) << after << " of " << all << " elements are pruned (" << percent(after)
       << " %), " << before << " before (" << percent(before) << " %)\n";
}

}  // namespace

void ModelPruningOptions::describe(OptionVisitor& visit) {
  visit("amount", amount, "Pruned each time, of what has not been: a count of elements or channels, or a fraction.");
  visit("amounts", amounts,
        "The same for each epoch, by its place; none beyond the last. Empty: 'amount' every epoch.");
  visit("parameter_names", parameter_names, "Last parts of the names of the parameters to prune.");
  visit("parameters_to_prune", parameters_to_prune, "Parameters, or submodules, to prune alone; empty: all.");
  visit("prune_on_train_epoch_end", prune_on_train_epoch_end,
        "Prune after every epoch; otherwise after every validation.");
  visit("pruning_dim", pruning_dim, "Dimension of the channels, for structured functions.");
  visit("pruning_fn", pruning_fn, "What is pruned first.");
  visit("pruning_norm", pruning_norm, "n of ln_structured, the norm of a channel; infinity for the maximum.")
      .greater_than(0);
  visit("seed", seed, "Of the random functions.");
  visit("use_global_unstructured", use_global_unstructured, "Choose among the elements of all parameters together.");
  visit("use_lottery_ticket_hypothesis", use_lottery_ticket_hypothesis,
        "Set what is left back to the values of the start, each time.");
  visit("verbose", verbose, "Say on standard error what each time came to (1), by parameter too (2).")
      .at_least(0)
      .at_most(2);
}

void ModelPruningOptions::validate() const {
  if (!amount.valid() || !std::all_of(amounts.begin(), amounts.end(), [](const auto& one) { return one.valid(); })) {
    throw ConfigError("'amount' and 'amounts' must be counts of at least 0 or fractions from 0.0 to 1.0");
  }
  if (parameter_names.empty()) {
    throw ConfigError("'parameter_names' must have a name, such as \"weight\"");
  }
  const std::string function(enum_name(pruning_fn));
  if (is_structured(pruning_fn) && use_global_unstructured) {
    throw ConfigError("'pruning_fn' = " + function +
                      " prunes channels of one parameter: set 'use_global_unstructured' " + "to false");
  }
  if (is_structured(pruning_fn) != pruning_dim.has_value()) {
    throw ConfigError("'pruning_dim' is for structured functions, which need it; 'pruning_fn' is " + function);
  }
  if ((pruning_fn == PruningFunction::kLnStructured) != pruning_norm.has_value()) {
    throw ConfigError("'pruning_norm' is for ln_structured, which needs it; 'pruning_fn' is " + function);
  }
}

ModelPruning::ModelPruning(ModelPruningOptions options) : options_(std::move(options)) {
  check_options("ModelPruning", options_);
}

std::vector<AskWhen> ModelPruning::ask_when() const {
  return {troupe::ask_when<TrainBatchEnded>({.every_n_steps = 1}),
          troupe::ask_when<ValidationStarted>({.sanity_checking = false}),
          troupe::ask_when<ValidationEnded>({.sanity_checking = false})};
}

bool ModelPruning::takes(const std::string& parameter) const {
  const auto& endings = options_.parameter_names;
  const auto& given = options_.parameters_to_prune;
  return std::any_of(endings.begin(), endings.end(), [&](const auto& ending) { return ends_in(parameter, ending); }) &&
         (given.empty() ||
          std::any_of(given.begin(), given.end(), [&](const auto& name) { return names_parameter(name, parameter); }));
}

void ModelPruning::find_parameters(const torch::nn::Module& module) {
  parameters_.clear();
  std::vector<std::string> names;
  for (const auto& parameter : module.named_parameters()) {
    names.push_back(parameter.key());
    if (takes(parameter.key()) && parameter.value().is_floating_point()) {
      parameters_.push_back({parameter.key(), parameter.value()});
    }
  }
  for (const auto& given : options_.parameters_to_prune) {
    if (std::none_of(parameters_.begin(), parameters_.end(),
                     [&](const auto& named) { return names_parameter(given, named.name); })) {
      throw ConfigError("ModelPruning: 'parameters_to_prune' has '" + given +
                        "', which gives no parameter to prune: it must name one, or a submodule of some, whose last " +
                        "part is in 'parameter_names'" + nearest(given, names));
    }
  }
  if (parameters_.empty()) {
    throw ConfigError("ModelPruning: the module has no parameter whose last part is in 'parameter_names'");
  }
}

void ModelPruning::on(const SetUp& event, Live& live) {
  if (event.stage() == v1::STAGE_FIT) {
    find_parameters(live.module());
    if (std::exchange(loaded_, false)) {
      take_up();
    } else {
      begin();
    }
  }
}

void ModelPruning::take_up() {
  pruned_ = in_order_of(parameters_, pruned_);
  if (options_.use_lottery_ticket_hypothesis) {
    initial_ = in_order_of(parameters_, initial_);
  }
}

void ModelPruning::begin() {
  const torch::NoGradGuard no_grad;
  rounds_ = 0;
  pruned_.clear();
  initial_.clear();
  for (const auto& named : parameters_) {
    pruned_.push_back({named.name, torch::zeros_like(named.tensor, torch::dtype(torch::kBool))});
    if (options_.use_lottery_ticket_hypothesis) {
      initial_.push_back({named.name, named.tensor.detach().clone()});
    }
  }
}

void ModelPruning::on(const OptimizerStepStarted&, Live&) {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size() && rounds_ > 0; ++i) {
    at::Tensor gradient = parameters_[i].tensor.grad();
    if (gradient.defined()) {
      gradient.masked_fill_(pruned_[i].tensor, 0);
    }
  }
}

void ModelPruning::on(const TrainBatchEnded&, Live&) {
  apply_masks();
}

void ModelPruning::on(const ValidationStarted&, Live& live) {
  if (live.run().run_stage() == v1::STAGE_FIT) {
    apply_masks();  // A step that a skipped epoch ends with has no batch's event.
  }
}

void ModelPruning::on(const ValidationEnded&, Live& live) {
  if (live.run().run_stage() == v1::STAGE_FIT && !options_.prune_on_train_epoch_end) {
    prune(live.run());
  }
}

void ModelPruning::on(const TrainEpochEnded&, Live& live) {
  apply_masks();
  if (options_.prune_on_train_epoch_end) {
    prune(live.run());
  }
}

void ModelPruning::prune(const RunState& run) {
  PruningRound round{.function = options_.pruning_fn, .amount = options_.amount};
  if (!options_.amounts.empty()) {
    round.amount = run.epoch() < options_.amounts.size() ? options_.amounts[run.epoch()] : CountOrFraction(0);
  }
  if (prunes_nothing(round.amount)) {
    return;
  }
  round.global = options_.use_global_unstructured;
  round.dim = options_.pruning_dim.value_or(0);
  round.norm = options_.pruning_norm.value_or(2);
  if (is_random(round.function)) {
    round.generator =
        at::make_generator<at::CPUGeneratorImpl>(random_key(options_.seed, static_cast<uint64_t>(rounds_)));
  }
  std::vector<at::Tensor> tensors;
  std::vector<at::Tensor> masks;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    tensors.push_back(parameters_[i].tensor);
    masks.push_back(pruned_[i].tensor);
  }
  const auto before = pruned_elements();
  try {
    prune_further(tensors, masks, round);
  } catch (const ConfigError& error) {
    throw ConfigError(std::string("ModelPruning: ") + error.what());
  }
  for (size_t i = 0; i < masks.size(); ++i) {
    pruned_[i].tensor = masks[i];
  }
  ++rounds_;
  rewind();
  apply_masks();
  say(run, before);
}

void ModelPruning::rewind() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < initial_.size(); ++i) {
    parameters_[i].tensor.copy_(initial_[i].tensor);
  }
}

void ModelPruning::apply_masks() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size() && rounds_ > 0; ++i) {
    parameters_[i].tensor.masked_fill_(pruned_[i].tensor, 0);
  }
}

std::vector<int64_t> ModelPruning::pruned_elements() const {
  std::vector<int64_t> counts;
  if (options_.verbose > 0) {
    for (const auto& named : pruned_) {
      counts.push_back(named.tensor.sum().item<int64_t>());
    }
  }
  return counts;
}

void ModelPruning::say(const RunState& run, const std::vector<int64_t>& before) const {
  if (options_.verbose == 0) {
    return;
  }
  const auto after = pruned_elements();
  int64_t all = 0;
  for (const auto& named : parameters_) {
    all += named.tensor.numel();
  }
  std::ostringstream text;
  text << "ModelPruning: " << enum_name(options_.pruning_fn) << " in epoch " << run.epoch() << ": ";
  say_share(text, std::accumulate(before.begin(), before.end(), int64_t{0}),
            std::accumulate(after.begin(), after.end(), int64_t{0}), all);
  for (size_t i = 0; i < parameters_.size() && options_.verbose == 2; ++i) {
    text << "ModelPruning: " << parameters_[i].name << ": ";
    say_share(text, before[i], after[i], parameters_[i].tensor.numel());
  }
  std::cerr << text.str();
}

StateDict ModelPruning::state_dict() const {
  StateDict state;
  state.set("rounds", rounds_);
  set_tensors(state, "pruned", pruned_);
  set_tensors(state, "initial", initial_);
  return state;
}

void ModelPruning::load_state_dict(const StateDict& state) {
  rounds_ = state.get_int("rounds");
  pruned_ = get_tensors(state, "pruned");
  initial_ = get_tensors(state, "initial");
  loaded_ = true;
}

}  // namespace troupe
