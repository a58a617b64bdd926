#include "troupe/runtime/replay/recorded_callbacks.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/strict_json.h"

namespace troupe {
namespace {

using nlohmann::json;

/// What the Trainer adds by itself, in the order in which it does so: after all others.
struct TrainersOwn {
  std::string_view type;
  std::string_view option;  ///< That enables it.
};
constexpr std::array<TrainersOwn, 4> kTrainersOwn{{{"ProgressBar", "enable_progress_bar"},
                                                   {"Timer", "max_time"},
                                                   {"ModelSummary", "enable_model_summary"},
                                                   {"ModelCheckpoint", "enable_checkpointing"}}};

constexpr char kInCode[] = "the program added it in code: the configuration in the log does not have it";
constexpr char kMaybeInCode[] =
    "the log does not tell whether the Trainer added it, or the program in code and with other options";

bool leads_out_of_the_run(const std::string& text) {
  const auto path = std::filesystem::path(text).lexically_normal();
  return path.is_absolute() || (path.begin() != path.end() && *path.begin() == "..");
}

/// The configuration of one process's callbacks, taken apart.
class ConfiguredCallbacks {
 public:
  ConfiguredCallbacks(const CallbackRegistry& registry, const std::string& config_json) : registry_(registry) {
    const json config = config_json.empty() ? json::object() : parse_json(config_json, "the configuration in the log");
    trainer_ = config.value("trainer", json::object());
    has_callbacks_ = config.contains("callbacks");
    for (const auto& one : config.value("callbacks", json::array())) {
      add(one);
    }
  }

  /// Takes the callback with this key, or says why there is none.
  std::shared_ptr<Callback> take(const v1::CallbackAttached& attached, json& config, std::string& why) {
    const auto found = std::find_if(made_.begin(), made_.end(), [&](const Made& made) {
      return made.callback->info().state_key == attached.state_key();
    });
    if (found != made_.end()) {
      config = found->config;
      auto callback = std::move(found->callback);
      made_.erase(found);
      return callback;
    }
    const auto failed = std::find_if(failed_.begin(), failed_.end(), [&](const Failed& one) {
      return attached.type() == one.type || attached.type().ends_with("::" + one.type);
    });
    why = failed == failed_.end() ? "" : failed->why;
    return nullptr;
  }

  bool has_callbacks() const { return has_callbacks_; }
  /// The value of a trainer option; null where it is not recorded.
  json trainer_option(std::string_view name) const {
    const auto found = trainer_.find(std::string(name));
    return found == trainer_.end() ? json() : *found;
  }
  const CallbackRegistry& registry() const { return registry_; }

 private:
  struct Made {
    std::shared_ptr<Callback> callback;
    json config;
  };
  struct Failed {
    std::string type;
    std::string why;
  };

  void add(const json& one) {
    try {
      made_.push_back({registry_.make_callback(one, "the configuration in the log"), one});
    } catch (const Error& error) {
      const std::string type = one.is_object() ? one.value("type", "") : "";
      const auto known = registry_.types();
      const bool is_known = std::find(known.begin(), known.end(), type) != known.end();
      failed_.push_back({type, is_known ? error.what()
                                        : "its type '" + type + "' is not known here: the program that ran it may " +
                                              "have registered it (PROGRAM replay RUN)"});
    }
  }

  const CallbackRegistry& registry_;
  json trainer_;
  bool has_callbacks_ = false;
  std::vector<Made> made_;
  std::vector<Failed> failed_;
};

/// The Trainer's own callbacks among those attached: the last ones, in its order.
class OwnOfTrainer {
 public:
  OwnOfTrainer(const ConfiguredCallbacks& configured, const std::vector<v1::CallbackAttached>& attached)
      : configured_(configured), first_(attached.size()) {
    size_t rank = kTrainersOwn.size();
    while (first_ > 0) {
      const auto& last = attached[first_ - 1];
      const size_t own = rank_of(last.type());
      if (own >= rank || !is_enabled(kTrainersOwn[own])) {
        break;
      }
      rank = own;
      --first_;
    }
  }

  bool has(size_t place) const { return place >= first_; }
  /// Whether it can be nothing else: a program that adds callbacks in code could have added one like it.
  bool is_certain(size_t place, const std::string& type) const {
    return configured_.has_callbacks() || place > first_ || type != "ModelCheckpoint";
  }
  json config_of(const std::string& type) const {
    json config{{"type", type}};
    if (type == "Timer") {
      config["duration"] = configured_.trainer_option("max_time");
    }
    return config;
  }

 private:
  static size_t rank_of(const std::string& type) {
    return static_cast<size_t>(std::find_if(kTrainersOwn.begin(), kTrainersOwn.end(),
                                            [&](const TrainersOwn& own) { return own.type == type; }) -
                               kTrainersOwn.begin());
  }
  bool is_enabled(const TrainersOwn& own) const {
    const json value = configured_.trainer_option(own.option);
    return value.is_string() || (value.is_boolean() && value.get<bool>());
  }

  const ConfiguredCallbacks& configured_;
  size_t first_;
};

std::shared_ptr<Callback> make_own_of_trainer(const ConfiguredCallbacks& configured, const OwnOfTrainer& own,
                                              const v1::CallbackAttached& attached, std::string& why) {
  std::shared_ptr<Callback> callback;
  try {
    callback = configured.registry().make_callback(own.config_of(attached.type()), "the Trainer's own");
  } catch (const Error& error) {
    why = error.what();
    return nullptr;
  }
  if (callback->info().state_key != attached.state_key()) {
    why = kInCode;
    return nullptr;
  }
  return callback;
}

std::string first_name(const EventTypeSet& types) {
  for (const auto& info : all_event_infos()) {
    if (types[info.type]) {
      return info.name;
    }
  }
  return {};
}

}  // namespace

std::string not_replayable_because(const CallbackInfo& info, const json& config) {
  if (info.lives.any()) {
    return "its hook for " + first_name(info.lives) + " takes Live: a log has no module";
  }
  if (info.outputs.any()) {
    return "its hook for " + first_name(info.outputs) + " takes StepOutputs: a log has no tensors";
  }
  EventTypeSet transient;
  for (const auto& event : all_event_infos()) {
    transient[event.type] = event.transient && (info.observes[event.type] || info.controls[event.type]);
  }
  if (transient.any()) {
    return "it takes " + first_name(transient) + ", which is transient: a log does not have it";
  }
  for (const auto& [name, value] : config.items()) {  // A prompt controller writes nothing.
    if (!info.policy.prompt && value.is_string() && leads_out_of_the_run(value.get<std::string>())) {
      return "its option '" + name + "' leads out of the run directory: a replay would write there";
    }
  }
  return {};
}

RecordedCallbacks make_recorded_callbacks(const CallbackRegistry& registry, const std::string& config_json,
                                          const std::vector<v1::CallbackAttached>& attached) {
  ConfiguredCallbacks configured(registry, config_json);
  const OwnOfTrainer own(configured, attached);
  RecordedCallbacks recorded;
  for (size_t i = 0; i < attached.size(); ++i) {
    json config;
    std::string why;
    auto callback = configured.take(attached[i], config, why);
    if (!callback && why.empty()) {
      if (!own.has(i)) {
        why = kInCode;
      } else if (!own.is_certain(i, attached[i].type())) {
        why = kMaybeInCode;
      } else {
        callback = make_own_of_trainer(configured, own, attached[i], why);
      }
    }
    if (callback) {
      why = not_replayable_because(callback->info(), config);
    }
    if (why.empty()) {
      recorded.replayable.push_back(std::move(callback));
    } else {
      recorded.others.push_back({attached[i].state_key(), why});
    }
  }
  return recorded;
}

}  // namespace troupe
