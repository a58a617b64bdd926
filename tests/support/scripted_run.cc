// Runs a fit whose metrics are written down beforehand and prints what became of it as one JSON object: the executable
// that conformance cases run on. See tests/support/scripted_run.md for the SPEC.
#include <google/protobuf/util/json_util.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "actors/trainer.h"
#include "callbacks/builtin_callbacks.h"
#include "runtime/callback_registry.h"
#include "runtime/error.h"
#include "runtime/event_history.h"
#include "runtime/exception_text.h"
#include "runtime/fixed_batches.h"
#include "runtime/round.h"
#include "runtime/run_directory.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace troupe;

struct ScriptedMetric {
  std::string name;
  std::string at;  // "train_batch", "train_epoch" or "validation".
  std::vector<double> values;
};

struct Spec {
  TrainerOptions trainer;
  int64_t train_batches = 4;
  int64_t val_batches = 2;
  int64_t batch_size = 4;
  std::vector<ScriptedMetric> metrics;
  json callbacks = json::array();
  std::string resume;
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

ScriptedMetric read_metric(const std::string& name, const json& metric) {
  const std::string where = "SPEC: metrics: '" + name + "'";
  require_keys(metric, {"at", "values"}, where);
  ScriptedMetric result;
  result.name = name;
  result.at = metric.value("at", "");
  if (result.at != "train_batch" && result.at != "train_epoch" && result.at != "validation") {
    throw ConfigError(where + ": 'at' must be one of train_batch, train_epoch, validation, got '" + result.at + "'");
  }
  if (!metric.contains("values") || !metric.at("values").is_array() || metric.at("values").empty()) {
    throw ConfigError(where + ": 'values' must be an array with at least one number");
  }
  for (const auto& value : metric.at("values")) {
    result.values.push_back(number(value, where + ": 'values'"));
  }
  return result;
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
      {"trainer", "train_batches", "val_batches", "batch_size", "metrics", "callbacks", "run_dir", "resume", "trace"},
      "SPEC");
  Spec spec;
  spec.trainer.enable_progress_bar = false;
  spec.trainer.enable_model_summary = false;
  if (object.contains("trainer")) {
    read_options("trainer", spec.trainer, object.at("trainer"));
  }
  spec.train_batches = count(object, "train_batches", spec.train_batches, 0);
  spec.val_batches = count(object, "val_batches", spec.val_batches, 0);
  spec.batch_size = count(object, "batch_size", spec.batch_size, 1);
  const json metrics = object.value("metrics", json::object());
  for (const auto& [name, metric] : metrics.items()) {
    spec.metrics.push_back(read_metric(name, metric));
  }
  spec.callbacks = object.value("callbacks", json::array());
  spec.trainer.run_dir = object.value("run_dir", spec.trainer.run_dir);
  spec.resume = object.value("resume", json()).is_string() ? object.at("resume").get<std::string>() : "";
  spec.trace = object.value("trace", false);
  return spec;
}

/// Linear(32, 2) under SGD. How often each metric has been logged is a buffer, so that a resumed run goes on in the
/// script.
class ScriptedModule : public Module {
 public:
  explicit ScriptedModule(std::vector<ScriptedMetric> metrics) : metrics_(std::move(metrics)) {
    linear_ = register_module("linear", torch::nn::Linear(32, 2));
    logged_ = register_buffer("logged", torch::zeros({static_cast<int64_t>(metrics_.size())}, torch::kLong));
  }

  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    log_scripted("train_batch");
    return linear_->forward(batch.data).pow(2).mean();
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override { linear_->forward(batch.data); }
  void on_train_epoch_end() override { log_scripted("train_epoch"); }
  void on_validation_epoch_end() override {
    if (!sanity_checking()) {
      log_scripted("validation");
    }
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), torch::optim::SGDOptions(0.1))}};
  }

 private:
  void log_scripted(const std::string& at) {
    for (size_t i = 0; i < metrics_.size(); ++i) {
      if (metrics_[i].at == at) {
        auto* logged = logged_.data_ptr<int64_t>() + i;
        const auto& values = metrics_[i].values;
        log(metrics_[i].name, values[std::min(static_cast<size_t>(*logged), values.size() - 1)]);
        ++*logged;
      }
    }
  }

  std::vector<ScriptedMetric> metrics_;
  torch::nn::Linear linear_{nullptr};
  at::Tensor logged_;
};

class ConstantData : public DataModule {
 public:
  explicit ConstantData(const Spec& spec) : spec_(spec) {}
  std::shared_ptr<DataLoader> train_dataloader() override { return batches(spec_.train_batches); }
  std::shared_ptr<DataLoader> val_dataloader() override {
    return spec_.val_batches == 0 ? nullptr : batches(spec_.val_batches);
  }

 private:
  std::shared_ptr<DataLoader> batches(int64_t number) const {
    const Batch batch{torch::ones({spec_.batch_size, 32}), torch::zeros({spec_.batch_size}, torch::kLong), {}};
    return std::make_shared<FixedBatches>(std::vector<Batch>(static_cast<size_t>(number), batch));
  }
  const Spec& spec_;
};

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

/// What the log and the folder of the run say.
void add_run(json& output, const fs::path& run_dir) {
  output["commands"] = json::array();
  output["checkpoints"] = json::array();
  RunState state;
  if (has_run(run_dir)) {
    EventHistory history(RunPaths{run_dir}.events());
    for (Event event; history.next(event);) {
      state.apply(event);
      if (event.has_command_applied()) {
        output["commands"].push_back(command_json(event));
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

int run(const Spec& given) {
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
  auto module = std::make_shared<ScriptedModule>(spec.metrics);
  ConstantData data(spec);

  json output = {{"status", "failed"}, {"error", nullptr}, {"stop", nullptr}, {"callbacks", json::object()}};
  try {
    const RunResult result = trainer.fit(*module, data, spec.resume);
    output["status"] = status_name(result.status);
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
  add_run(output, spec.trainer.run_dir);
  output["trace"] = trace->hooks;
  std::cout << output.dump() << '\n';
  return output["error"].is_null() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: scripted_run SPEC.json\n";
    return 2;
  }
  try {
    return run(read_spec(argv[1]));
  } catch (const std::exception& error) {
    std::cerr << "scripted_run: " << error.what() << '\n';
    return 2;
  }
}
