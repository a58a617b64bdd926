#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct DeadUnitMonitorOptions {
  int64_t every_n_steps = 10;  ///< Optimizer steps between two that are looked at.
  int64_t window = 100;        ///< Optimizer steps over which a unit must be dead: a multiple of every_n_steps.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Logs `dead_units/<layer>` at the end of every window of steps: which share of a layer's units had a gradient of
/// exactly 0 at every step that was looked at in it. A layer is a submodule that has parameters itself; a unit is what
/// its parameters have at one index of their first dimension: an output of a linear layer or a channel of a
/// convolution, with its weights and its bias.
///
/// Outputs of activations cannot be seen from a callback; but behind a ReLU that never opens, the gradients of the unit
/// before it are 0. So are those of an embedding's words that did not come, and of whatever does not reach the loss.
/// Parameters that have no gradient at all are left out.
class DeadUnitMonitor {
 public:
  /// Throws ConfigError for options that make no sense.
  explicit DeadUnitMonitor(DeadUnitMonitorOptions options = {});

  void on(const FitStarted& event);
  void on(const OptimizerStepStarted& event, Live& live);
  std::vector<AskWhen> ask_when() const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  /// Parameters of a layer whose first dimensions are equal have their units in common.
  using Units = std::pair<std::string, int64_t>;

  void look(const std::string& layer, const at::Tensor& gradient);
  void report(Control& control);

  DeadUnitMonitorOptions options_;
  int64_t looks_ = 0;                  // In this window.
  std::map<Units, at::Tensor> alive_;  // Of each unit whether a gradient was seen in this window; on the device.
};

}  // namespace troupe
