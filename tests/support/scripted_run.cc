#include "tests/support/scripted_run.h"

#include <google/protobuf/util/json_util.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "tests/support/rewrite_checkpoint.h"
#include "tests/support/scripted_module.h"
#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/callback_registry.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/event/round.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/run_directory.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace troupe;

struct Spec {
  TrainerOptions trainer;
  ModuleScript module;
  DataScript data;
  Stage stage = v1::STAGE_FIT;
  json callbacks = json::array();
  std::string resume;
  std::optional<int64_t> elapsed_s;  // What the checkpoint resumed from says that the run has run.
  bool trace = false;
};

double number(const json& value, const std::string& where) {
  if (value.is_number()) {
    return value.get<double>();
  }
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (text == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (text == "inf" || text == "-inf") {
    return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  }
  throw ConfigError(where + ": must be a number or one of \"nan\", \"inf\", \"-inf\", got " + value.dump());
}

void require_keys(const json& object, const std::set<std::string>& allowed, const std::string& where) {
  if (!object.is_object()) {
    throw ConfigError(where + ": must be an object, got " + object.dump());
  }
  for (const auto& [key, value] : object.items()) {
    if (!allowed.contains(key)) {
      throw ConfigError(where + ": unknown key '" + key + "'" + suggest(key, {allowed.begin(), allowed.end()}));
    }
  }
}

int64_t count(const json& spec, const char* key, int64_t fallback, int64_t least) {
  if (!spec.contains(key)) {
    return fallback;
  }
  const auto& value = spec.at(key);
  if (!value.is_number_integer() || value.get<int64_t>() < least) {
    throw ConfigError(std::string("SPEC: '") + key + "': must be an integer of at least " + std::to_string(least) +
                      ", got " + value.dump());
  }
  return value.get<int64_t>();
}

/// One of these texts; the first is the default.
std::string choice(const json& object, const char* key, const std::vector<std::string>& allowed,
                   const std::string& where) {
  const std::string text =
      object.contains(key) && !object.at(key).is_string() ? object.at(key).dump() : object.value(key, allowed.front());
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    throw ConfigError(where + ": '" + key + "' is '" + text + "'" + suggest(text, allowed));
  }
  return text;
}

ScriptedMetric read_metric(const std::string& name, const json& metric) {
  const std::string where = "SPEC: metrics: '" + name + "'";
  require_keys(metric, {"at", "values"}, where);
  ScriptedMetric result;
  result.name = name;
  result.at = choice(metric, "at", {"", "train_batch", "train_epoch", "validation", "validation_step", "test"}, where);
  if (result.at.empty()) {
    throw ConfigError(where + ": 'at' must be one of train_batch, train_epoch, validation, validation_step, test");
  }
  if (!metric.contains("values") || !metric.at("values").is_array() || metric.at("values").empty()) {
    throw ConfigError(where + ": 'values' must be an array with at least one number");
  }
  for (const auto& value : metric.at("values")) {
    result.values.push_back(number(value, where + ": 'values'"));
  }
  return result;
}

std::vector<std::string> read_throw_at(const json& object) {
  const json given = object.value("throw_at", json::array());
  return given.is_string() ? std::vector<std::string>{given.get<std::string>()} : given.get<std::vector<std::string>>();
}

void read_module(const json& object, ModuleScript& module) {
  const json metrics = object.value("metrics", json::object());
  for (const auto& [name, metric] : metrics.items()) {
    module.metrics.push_back(read_metric(name, metric));
  }
  module.optimizers = count(object, "optimizers", module.optimizers, 1);
  module.manual = object.value("manual", false);
  const std::string counts = choice(object, "lr_schedule", {"none", "step", "epoch"}, "SPEC");
  if (counts != "none") {
    module.lr_schedule = counts == "step" ? OptimizerConfig::Interval::kStep : OptimizerConfig::Interval::kEpoch;
  }
  if (object.contains("initial_weight")) {
    module.initial_weight = number(object.at("initial_weight"), "SPEC: 'initial_weight'");
  }
  module.nondeterministic = object.value("nondeterministic", false);
  module.throw_at = read_throw_at(object);
  module.nan_at = count(object, "nan_at", module.nan_at, 0);
  module.skip_epoch_at = count(object, "skip_epoch_at", module.skip_epoch_at, 0);
}

void read_data(const json& object, DataScript& data) {
  data.train_batches = count(object, "train_batches", data.train_batches, 0);
  data.val_batches = count(object, "val_batches", data.val_batches, 0);
  data.val_loaders = count(object, "val_loaders", data.val_loaders, 1);
  data.test_batches = count(object, "test_batches", data.test_batches, 1);
  data.predict_batches = count(object, "predict_batches", data.predict_batches, 1);
  data.batch_size = count(object, "batch_size", data.batch_size, 1);
}

Stage read_stage(const json& object) {
  const std::string stage = choice(object, "stage", {"fit", "validate", "test", "predict"}, "SPEC");
  return stage == "fit"        ? v1::STAGE_FIT
         : stage == "validate" ? v1::STAGE_VALIDATE
         : stage == "test"     ? v1::STAGE_TEST
                               : v1::STAGE_PREDICT;
}

Spec read_spec(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    throw ConfigError("cannot read " + path);
  }
  const json object = parse_json(text.str(), path);
  require_keys(
      object,
      {"trainer",    "stage",   "train_batches", "val_batches", "val_loaders", "test_batches",   "predict_batches",
       "batch_size", "metrics", "optimizers",    "manual",      "lr_schedule", "initial_weight", "nondeterministic",
       "throw_at",   "nan_at",  "skip_epoch_at", "callbacks",   "run_dir",     "resume",         "elapsed_s",
       "trace"},
      "SPEC");
  Spec spec;
  spec.trainer.enable_progress_bar = false;
  spec.trainer.enable_model_summary = false;
  if (object.contains("trainer")) {
    read_options("trainer", spec.trainer, object.at("trainer"));
  }
  spec.stage = read_stage(object);
  read_module(object, spec.module);
  read_data(object, spec.data);
  spec.callbacks = object.value("callbacks", json::array());
  spec.trainer.run_dir = object.value("run_dir", spec.trainer.run_dir);
  spec.resume = object.value("resume", json()).is_string() ? object.at("resume").get<std::string>() : "";
  if (object.contains("elapsed_s")) {
    spec.elapsed_s = count(object, "elapsed_s", 0, 0);
  }
  spec.trace = object.value("trace", false);
  return spec;
}

/// Writes down the hook of every event, transient ones too.
struct Trace {
  std::vector<std::string> hooks;

  void add(EventType type) {
    if (!event_info(type).hook.empty()) {
      hooks.push_back(event_info(type).hook);
    }
  }
#define TRACE_EVENT(Message, field)   \
  void on(const Message& /*event*/) { \
    add(EventTraits<Message>::kType); \
  }
  TROUPE_EVENTS(TRACE_EVENT)
#undef TRACE_EVENT
};

json command_json(const Event& event) {
  const auto& command = event.command_applied().command();
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  (void)google::protobuf::util::MessageToJsonString(command, &text, options);
  json result = json::parse(text).begin().value();
  result["from"] = event.command_applied().from();
  result["at"] = {{"epoch", event.position().epoch()}, {"global_step", event.position().global_step()}};
  result["command"] = command_name(command);
  return result;
}

const char* status_name(v1::RunStatus status) {
  switch (status) {
    case v1::RUN_STATUS_STOPPED:
      return "stopped";
    case v1::RUN_STATUS_INTERRUPTED:
      return "interrupted";
    case v1::RUN_STATUS_FAILED:
      return "failed";
    default:
      return "finished";
  }
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// What the log and the folder of the run say.
void add_run(json& output, const fs::path& run_dir) {
  output["commands"] = json::array();
  output["attached"] = json::array();
  output["csv"] = fs::exists(run_dir / "metrics.csv") ? json(lines_of(run_dir / "metrics.csv")) : json();
  output["checkpoints"] = json::array();
  RunState state;
  if (has_run(run_dir)) {
    EventHistory history(RunPaths{run_dir}.events());
    for (Event event; history.next(event);) {
      state.apply(event);
      if (event.has_command_applied()) {
        output["commands"].push_back(command_json(event));
      }
      if (event.has_callback_attached()) {
        output["attached"].push_back(event.callback_attached().type());
      }
    }
  }
  output["epochs_completed"] = state.epochs_completed();
  output["global_step"] = state.global_step();
  output["validations"] = state.validations();
  std::vector<std::string> files;
  if (fs::exists(run_dir / "checkpoints")) {
    for (const auto& entry : fs::recursive_directory_iterator(run_dir / "checkpoints")) {
      if (!entry.is_directory()) {
        files.push_back(fs::relative(entry.path(), run_dir / "checkpoints").string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  output["checkpoints"] = files;
}

/// As if the run had run for so long when it took the checkpoint.
void age_checkpoint(const fs::path& checkpoint, int64_t elapsed_s) {
  constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;
  rewrite_checkpoint(checkpoint, [&](CheckpointParts& parts) {
    parts.header.set_elapsed_us(static_cast<uint64_t>(elapsed_s) * kMicrosecondsPerSecond);
  });
}

RunResult call(Trainer& trainer, const Spec& spec, ScriptedModule& module) {
  ScriptedData data(spec.data, module.hook_script());
  switch (spec.stage) {
    case v1::STAGE_VALIDATE:
      return trainer.validate(module, data, spec.resume);
    case v1::STAGE_TEST:
      return trainer.test(module, data, spec.resume);
    case v1::STAGE_PREDICT:
      return trainer.predict(module, data, spec.resume);
    default:
      return trainer.fit(module, data, spec.resume);
  }
}

int run(const Spec& given, std::ostream& printed) {
  Spec spec = given;
  const TemporaryFolder folder;
  if (spec.trainer.run_dir.empty()) {
    spec.trainer.run_dir = (folder.path() / "run").string();
  }
  CallbackRegistry registry;
  register_builtin_callbacks(registry);
  torch::manual_seed(spec.trainer.seed);
  Trainer trainer(spec.trainer);
  for (auto& callback : registry.make_callbacks(spec.callbacks)) {
    trainer.add_callback(std::move(callback));
  }
  auto trace = std::make_shared<Trace>();
  if (spec.trace) {
    trainer.add_callback(make_callback(trace));
  }
  auto module = std::make_shared<ScriptedModule>(spec.module);
  if (spec.elapsed_s) {
    age_checkpoint(spec.resume, *spec.elapsed_s);
  }

  fs::path run_dir = spec.trainer.run_dir;
  json output = {{"status", "failed"}, {"error", nullptr}, {"stop", nullptr}, {"callbacks", json::object()}};
  try {
    const RunResult result = call(trainer, spec, *module);
    output["status"] = status_name(result.status);
    output["metrics"] = result.metrics;
    output["predictions"] = result.predictions.size();
    run_dir = result.run_dir;
    if (!result.stopped_by.empty()) {
      output["stop"] = {{"by", result.stopped_by}, {"reason", result.stop_reason}};
    }
  } catch (const ConfigError&) {
    throw;
  } catch (const MismatchError&) {
    throw;
  } catch (...) {
    output["error"] = current_exception_text();
  }
  for (const auto& [key, state] : trainer.callback_states()) {
    output["callbacks"][key] = json::parse(state.to_json());
  }
  add_run(output, run_dir);
  output["trace"] = trace->hooks;
  output["module_trace"] = module->hooks();
  output["dtypes"] = module->dtypes();
  output["weight"] = module->weight();
  printed << output.dump() << '\n';
  return output["error"].is_null() ? 0 : 1;
}

}  // namespace

namespace troupe::testing {

int scripted_run(const std::string& spec_path, std::ostream& printed, std::ostream& errors) {
  try {
    return run(read_spec(spec_path), printed);
  } catch (const std::exception& error) {
    errors << "scripted_run: " << error.what() << '\n';
    return 2;
  }
}

}  // namespace troupe::testing
