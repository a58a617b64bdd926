#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/callbacks/guarding/non_finite.h"
#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// What becomes of a step whose gradients are not finite.
enum class NanAction {
  kStop,      ///< It is not made, and the run is voted to stop.
  kSkipStep,  ///< It is not made, and training goes on.
};

template <>
struct EnumNames<NanAction> {
  static constexpr std::array<std::pair<NanAction, std::string_view>, 2> kNames{
      {{NanAction::kStop, "stop"}, {NanAction::kSkipStep, "skip_step"}}};
};

struct NanGuardOptions {
  NanAction action = NanAction::kStop;  ///< On gradients that are not finite.
  bool check_parameters = true;         ///< Look at parameters and buffers after the step, too.
  int64_t every_n_steps = 1;            ///< Optimizer steps between two that are looked at.
  int64_t max_consecutive_skips = 10;  ///< With skip_step: one more of the steps looked at in a row stops; 0: no limit.

  void describe(OptionVisitor& visit);
};

/// Keeps NaN and infinities out of the parameters. Before an optimizer step it looks at the gradients that the step
/// will use. If any is not finite, all of them are dropped, so that the step changes no parameter and no moment, and
/// the parameters stay as they were; then it votes to stop, or lets training go on (`action`). A step that is skipped
/// so still counts, and schedules move on.
///
/// After the step it looks at the loss of the batch that the step was made with, and at parameters and buffers. A loss
/// alone that is not finite stops with the action stop, and is only told otherwise. A parameter or a buffer that is not
/// finite stops always: no step that is skipped puts it right, while checkpoints from before are sound.
///
/// Every find is the UserEvent "NonFiniteFound": `kind` (gradient, loss, parameter or buffer), `tensor` and `module`,
/// the names of the first one in registration order and of the submodule that has it, `tensors`, how many there are of
/// that kind, and `action` (stop, skip_step or none). A vote is cast again after a resume, unless it was about
/// gradients or a loss and the action is another one by then.
class NanGuard {
 public:
  /// Its controller hooks wait for nothing.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Throws ConfigError for options out of range.
  explicit NanGuard(NanGuardOptions options = {});

  void on(const FitStarted& event, Control& control);
  void on(const RunResumed& event, Control& control);
  void on(const OptimizerStepStarted& event, Live& live);
  void on(const TrainBatchEnded& event, Live& live);
  std::vector<AskWhen> ask_when() const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

  /// Steps that were not made.
  int64_t skipped_steps() const { return tally_.skipped; }

 private:
  /// What the run has come to: the state.
  struct Tally {
    int64_t skipped = 0;
    int64_t consecutive_skips = 0;
    std::string stop_reason = {};  ///< Of the vote; empty without one.
    bool stop_is_final = false;    ///< Whatever the action: parameters or buffers, or too many skips.
  };
  enum class Verdict { kNone, kSkipStep, kStop };

  void check_loss(Live& live);
  void check_state(Live& live);
  /// Tells of a find. `names`: not empty.
  void report(Control& control, std::string_view kind, const std::vector<std::string>& names, Verdict verdict);
  bool skipped_too_often() const;

  NanGuardOptions options_;
  Tally tally_;
  bool found_gradient_ = false;  // In the batch that is being trained.
};

}  // namespace troupe
