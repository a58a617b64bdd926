#pragma once

#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback_registry.h"
#include "troupe/runtime/callback/callback_states.h"

namespace troupe {

/// A callback of a run that cannot be replayed.
struct NotReplayable {
  std::string state_key;
  std::string why;  ///< One line, without a full stop.
};

/// The callbacks of one process's part of a run, made anew.
struct RecordedCallbacks {
  Callbacks replayable;  ///< In the order in which the run had them.
  std::vector<NotReplayable> others;
};

/// Why a log is not enough for this callback, or its replay would touch more than its folder; empty where it can be
/// replayed. `config`: the object that it was made from.
std::string not_replayable_because(const CallbackInfo& info, const nlohmann::json& config);

/// Makes the callbacks that `attached` names: those of the configuration that the process recorded (`config_json`),
/// found by their state keys, and those that the Trainer adds by itself. The others are named with the reason: a type
/// that `registry` does not know or cannot make with the recorded options, a callback that the program added in code,
/// one that takes what is not in a log. `registry` is the program's own, or one with the built-in callbacks alone.
RecordedCallbacks make_recorded_callbacks(const CallbackRegistry& registry, const std::string& config_json,
                                          const std::vector<v1::CallbackAttached>& attached);

}  // namespace troupe
