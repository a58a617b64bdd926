#include "troupe/actors/run/run_callbacks.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"
#include "troupe/callbacks/monitoring/model_summary.h"
#include "troupe/callbacks/progress/progress_bar.h"
#include "troupe/callbacks/stopping/timer.h"
#include "troupe/callbacks/tuning/gradient_accumulation_scheduler.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/callback/typed_callback.h"

namespace troupe {
namespace {

bool has_type(const Callbacks& callbacks, const std::string& type) {
  return std::any_of(callbacks.begin(), callbacks.end(),
                     [&](const auto& callback) { return callback->info().type == type; });
}

/// One that only writes down what the run measures.
bool is_logger(const std::shared_ptr<Callback>& callback) {
  const std::string& type = callback->info().type;
  return type == readable_type_name(typeid(CSVLogger)) || type == readable_type_name(typeid(JSONLogger)) ||
         type == readable_type_name(typeid(TensorBoardLogger));
}

/// Adds what Lightning's Trainer adds by itself. `option` is what enables it.
template <class T>
void add_default(Callbacks& callbacks, const TrainerOptions& options, bool enabled, const char* option) {
  const std::string type = readable_type_name(typeid(T));
  const bool present = has_type(callbacks, type);
  if (present && !enabled) {
    std::string text = "trainer: '";
    text.append(options.barebones ? "barebones' leaves out everything but the loop" : option);
    text.append(options.barebones ? "" : "' is false");
    throw ConfigError(text.append(", but there is a ").append(type).append(" among the callbacks"));
  }
  if (!present && enabled) {
    callbacks.push_back(make_callback(std::make_shared<T>()));
  }
}

void add_timer(Callbacks& callbacks, const std::string& max_time) {
  if (has_timer(callbacks)) {
    throw ConfigError(
        "trainer: 'max_time' adds a Timer, but there is a Timer among the callbacks: leave one of them out");
  }
  callbacks.push_back(make_callback(std::make_shared<Timer>(TimerOptions{.duration = max_time})));
}

void check_accumulation_schedule(const Callbacks& callbacks, const Module& module, const TrainerOptions& options) {
  if (!has_type(callbacks, readable_type_name(typeid(GradientAccumulationScheduler)))) {
    return;
  }
  if (options.accumulate_grad_batches != 1) {
    throw ConfigError("trainer: 'accumulate_grad_batches' is " + std::to_string(options.accumulate_grad_batches) +
                      ", but a GradientAccumulationScheduler among the callbacks says how many batches share a step: "
                      "leave one of them out");
  }
  if (!module.automatic_optimization()) {
    throw ConfigError(
        "fit: the module optimises manually (automatic_optimization), so a GradientAccumulationScheduler among the "
        "callbacks has no steps to schedule: leave one of them out");
  }
}

/// The Trainer's callbacks, with the module's own in the place of those of the same type.
Callbacks with_callbacks_of(Module& module, const Callbacks& given) {
  Callbacks own;
  for (auto& callback : module.configure_callbacks()) {
    own.push_back(std::move(callback));
  }
  Callbacks callbacks;
  std::copy_if(given.begin(), given.end(), std::back_inserter(callbacks),
               [&](const auto& callback) { return !has_type(own, callback->info().type); });
  for (const auto& callback : own) {
    require_new_state_key(callbacks, callback->info().state_key);
    callbacks.push_back(callback);
  }
  return callbacks;
}

}  // namespace

void require_new_state_key(const Callbacks& callbacks, const std::string& key) {
  if (!is_utf8(key)) {
    throw ConfigError("Trainer: a callback has the state key '" + printable(key) + "'; it must be UTF-8");
  }
  for (const auto& present : callbacks) {
    if (present->info().state_key == key) {
      throw ConfigError("Trainer: two callbacks have the state key '" + key + "'; give one a name of its own");
    }
  }
}

Callbacks callbacks_of_run(Stage stage, Module& module, const Callbacks& given, const TrainerOptions& options) {
  Callbacks callbacks = with_callbacks_of(module, given);
  if (options.fast_dev_run > 0) {
    std::erase_if(callbacks, is_logger);
  }
  add_default<ProgressBar>(callbacks, options, options.enable_progress_bar, "enable_progress_bar");
  if (stage == v1::STAGE_FIT) {
    if (options.max_time) {
      add_timer(callbacks, *options.max_time);
    }
    check_accumulation_schedule(callbacks, module, options);
    add_default<ModelSummary>(callbacks, options, options.enable_model_summary, "enable_model_summary");
    if (options.fast_dev_run == 0) {
      add_default<ModelCheckpoint>(callbacks, options, options.enable_checkpointing, "enable_checkpointing");
    }
  }
  return callbacks;
}

bool has_timer(const Callbacks& callbacks) {
  return has_type(callbacks, readable_type_name(typeid(Timer)));
}

void prepare_files(const Callbacks& callbacks, const std::filesystem::path& run_directory, Stage stage) {
  for (const auto& callback : callbacks) {
    callback->set_run_directory(run_directory);
    callback->prepare_files(stage);
  }
}

void rename_callbacks(KnownInputs& known, const std::map<std::string, v1::CallbackState>& loaded) {
  std::map<std::string, std::string> present_keys;
  for (const auto& [key, state] : loaded) {
    present_keys[state.state_key()] = key;
  }
  const auto rename = [&](v1::ClockDecision& decision) {
    if (const auto present = present_keys.find(decision.state_key()); present != present_keys.end()) {
      decision.set_state_key(present->second);
    }
  };
  std::for_each(known.decided.begin(), known.decided.end(), rename);
  for (auto& placed : known.inputs) {
    if (placed.input.has_clock()) {
      rename(*placed.input.mutable_clock());
    }
  }
}

}  // namespace troupe
