// What the runtime adds to a training step: a bare LibTorch loop next to the same steps under a Trainer, interleaved.
//
//   step_overhead --help
//
// The small step: Linear(32, 32), batch 8, mean squared error, SGD with momentum, one intra-op thread. Under the
// Trainer the event log is written and the loss logged at every step; on another device than the CPU that waits for it,
// so there is a bare loop that reads the loss too. Batches are on the device from the start. A row counts only if its
// log verifies and holds every batch, and every callback but the one that sleeps has seen every step.
//
// Models of ordinary size (ordinary_models.h), on the CPU: each row of each repetition in a process of its own, since
// what the allocator is told stays.
#include <torch/torch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/benchmarks/ordinary_models.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/runtime/data/fixed_batches.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/module/device.h"

namespace {

namespace fs = std::filesystem;
using namespace troupe;
using Clock = std::chrono::steady_clock;

constexpr int64_t kEpochs = 10;

double us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

Batch make_batch(at::Device device) {
  return {torch::randn({8, 32}, device), torch::randn({8, 32}, device), {}};
}

class LinearModule : public Module {
 public:
  LinearModule() { linear_ = register_module("linear", torch::nn::Linear(32, 32)); }
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    const auto loss = torch::mse_loss(linear_->forward(batch.data), batch.target);
    log("loss", loss);
    return loss;
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {
        {.optimizer = std::make_shared<torch::optim::SGD>(parameters(), torch::optim::SGDOptions(0.01).momentum(0.9))}};
  }
  void on_train_start() override { started = Clock::now(); }
  void on_train_end() override { ended = Clock::now(); }

  torch::nn::Linear& linear() { return linear_; }
  Clock::time_point started;
  Clock::time_point ended;

 private:
  torch::nn::Linear linear_{nullptr};
};

class OneBatch : public DataModule {
 public:
  OneBatch(int64_t batches, at::Device device) : batches_(batches), device_(device) {}
  std::shared_ptr<DataLoader> train_dataloader() override {
    return std::make_shared<FixedBatches>(std::vector<Batch>(static_cast<size_t>(batches_), make_batch(device_)));
  }

 private:
  int64_t batches_;
  at::Device device_;
};

struct Observer {
  int64_t steps = 0;
  void on(const TrainBatchEnded& /*event*/) { ++steps; }
};
struct Controller {
  int64_t steps = 0;
  void on(const TrainBatchEnded& /*event*/, Control& /*control*/) { ++steps; }
};
/// The loop runs its hook itself.
struct PromptController : Controller {
  static constexpr CallbackPolicy kPolicy{.prompt = true};
};
/// Sleeps for a second over every batch, in the threads that observers share and with a lane of 100 events.
struct Sleeper {
  static constexpr CallbackPolicy kPolicy{.lane = LanePolicy::kDropOldest, .lane_events_max = 100};
  int64_t steps = 0;
  void on(const TrainBatchEnded& /*event*/) {
    ++steps;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
};

struct Timing {
  double us_per_step = 0;
  double drain_ms = 0;  // From the loop's end to fit's return.
  std::string invalid;  // Why the figure does not count.
};

/// `reads_loss`: as who prints it at every step.
Timing run_bare(int64_t steps, at::Device device, bool reads_loss) {
  LinearModule module;
  module.to(device);
  torch::optim::SGD sgd(module.parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  const Batch batch = make_batch(device);
  const auto parameters = module.parameters();
  const auto started = Clock::now();
  for (int64_t i = 0; i < steps; ++i) {
    const auto loss = torch::mse_loss(module.linear()->forward(batch.data), batch.target);
    for (const auto& parameter : parameters) {
      parameter.mutable_grad().reset();
    }
    loss.backward();
    sgd.step();
    if (reads_loss) {
      loss.item<double>();
    }
  }
  if (!device.is_cpu()) {
    torch::cuda::synchronize(device.index());
  }
  return {us_between(started, Clock::now()) / static_cast<double>(steps), 0, {}};
}

std::string check_log(const fs::path& run_dir, int64_t steps) {
  const auto report = verify_event_log(run_dir / "events");
  if (!report.sound() || !report.ended) {
    return "the log does not verify";
  }
  int64_t batches = 0;
  EventHistory history(run_dir / "events");
  for (Event event; history.next(event);) {
    batches += event.has_train_batch_ended() && event.train_batch_ended().metrics_size() > 0 ? 1 : 0;
  }
  return batches == steps ? ""
                          : "the log holds " + std::to_string(batches) + " of " + std::to_string(steps) + " batches";
}

/// Why a row does not count; empty when it does. After the run.
using Check = std::function<std::string(int64_t steps)>;
using AddCallbacks = std::function<Check(Trainer&)>;

Timing run_trainer(int64_t steps, at::Device device, bool checkpoints, const AddCallbacks& add_callbacks) {
  const TemporaryFolder folder;
  TrainerOptions options;
  options.max_epochs = kEpochs;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.enable_checkpointing = checkpoints;
  options.run_dir = (folder.path() / "run").string();
  options.drain_deadline_s = 2;
  options.device = device.str();
  Trainer trainer(options);
  const Check check = add_callbacks(trainer);
  LinearModule module;
  OneBatch data(steps / kEpochs, device);
  trainer.fit(module, data);
  const auto returned = Clock::now();
  Timing timing{us_between(module.started, module.ended) / static_cast<double>(steps),
                us_between(module.ended, returned) / 1000,
                {}};
  timing.invalid = check_log(options.run_dir, steps);
  if (timing.invalid.empty()) {
    timing.invalid = check(steps);
  }
  return timing;
}

/// `number` callbacks of one class, each of which must see every step.
template <class T>
AddCallbacks add_some(int number) {
  return [number](Trainer& trainer) -> Check {
    std::vector<CallbackHandle<T>> handles;
    for (int i = 0; i < number; ++i) {
      handles.push_back(trainer.add(T{}, "callback " + std::to_string(i)));
    }
    return [handles](int64_t steps) -> std::string {
      for (const auto& handle : handles) {
        if (handle.get().steps != steps) {
          return "a callback saw " + std::to_string(handle.get().steps) + " of " + std::to_string(steps) + " steps";
        }
      }
      return {};
    };
  };
}

Check add_usual_set(Trainer& trainer) {
  trainer.add(ModelCheckpoint({.monitor = "loss"}));
  trainer.add(EarlyStopping({.monitor = "loss", .patience = 1000}));
  trainer.add(LearningRateMonitor());
  trainer.add(CSVLogger());
  return [](int64_t /*steps*/) { return std::string(); };
}

Check add_sleeper(Trainer& trainer) {
  const auto sleeper = trainer.add(Sleeper());
  return [sleeper](int64_t /*steps*/) { return sleeper.get().steps > 0 ? "" : "the observer saw nothing"; };
}

struct Row {
  const char* name;
  std::function<Timing()> run;
  std::vector<double> us_per_step = {};
  std::vector<double> drain_ms = {};
  std::string invalid = {};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// What a row has beyond the first one, repetition by repetition: "  2.61 [1.90, 4.02]".
std::string differences(const std::vector<double>& values, const std::vector<double>& first) {
  std::vector<double> differences;
  for (size_t i = 0; i < values.size(); ++i) {
    differences.push_back(values[i] - first[i]);
  }
  const auto [least, most] = std::minmax_element(differences.begin(), differences.end());
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "%8.2f [%.2f, %.2f]", median(differences), *least, *most);
  return text.data();
}

int print(const std::vector<Row>& rows) {
  int status = 0;
  const auto& bare = rows.front().us_per_step;
  std::printf("%-36s %10s %8s %10s  %s\n", "", "us/step", "ratio", "drain ms", "added us: median [least, most]");
  for (const auto& row : rows) {
    const double us = median(row.us_per_step);
    std::printf("%-36s %10.2f %8.3f %10.1f  %s", row.name, us, us / median(bare), median(row.drain_ms),
                &row == rows.data() ? "" : differences(row.us_per_step, bare).c_str());
    std::printf("%s%s\n", row.invalid.empty() ? "" : "  NOT VALID: ", row.invalid.c_str());
    status = row.invalid.empty() ? status : 1;
  }
  return status;
}

struct Settings {
  int64_t steps = 20000;
  int repetitions = 5;
  std::string device = "cpu";
  std::vector<std::string> models = {"all"};
  std::vector<std::string> row;  // A model and one of its rows: what a process of its own is asked for.
};

int time_small_step(const Settings& settings) {
  const int64_t steps = std::max<int64_t>(1, settings.steps / kEpochs) * kEpochs;
  const at::Device device = find_device(settings.device);
  at::set_num_threads(1);
  const auto with = [=](const AddCallbacks& add_callbacks, bool checkpoints = false) {
    return [=] { return run_trainer(steps, device, checkpoints, add_callbacks); };
  };
  std::vector<Row> rows = {
      {"bare LibTorch loop", [=] { return run_bare(steps, device, false); }},
      {"Trainer, log on, no callback", with(add_some<Observer>(0))},
      {"1 batch-end observer", with(add_some<Observer>(1))},
      {"10 batch-end observers", with(add_some<Observer>(10))},
      {"50 batch-end observers", with(add_some<Observer>(50))},
      {"an observer that sleeps 1 s a batch", with(add_sleeper)},
      {"the usual set", with(add_usual_set, true)},
      {"1 controller at every batch", with(add_some<Controller>(1))},
      {"5 controllers at every batch", with(add_some<Controller>(5))},
      {"1 prompt controller at every batch", with(add_some<PromptController>(1))},
      {"5 prompt controllers at every batch", with(add_some<PromptController>(5))},
  };
  if (!device.is_cpu()) {
    rows.insert(rows.begin() + 1, Row{"bare loop that reads the loss", [=] { return run_bare(steps, device, true); }});
  }
  run_bare(steps / 4, device, false);  // Warm up.
  for (int repetition = 0; repetition < settings.repetitions; ++repetition) {
    for (auto& row : rows) {
      const Timing timing = row.run();
      row.us_per_step.push_back(timing.us_per_step);
      row.drain_ms.push_back(timing.drain_ms);
      row.invalid = timing.invalid.empty() ? row.invalid : timing.invalid;
    }
  }
  std::printf("Linear(32, 32), batch 8, SGD with momentum, %lld steps, medians of %d interleaved repetitions, on %s\n",
              static_cast<long long>(steps), settings.repetitions, device.str().c_str());
  std::printf("the usual set: ModelCheckpoint, EarlyStopping, LearningRateMonitor, CSVLogger over %lld epochs\n\n",
              static_cast<long long>(kEpochs));
  return print(rows);
}

const char* model_row_title(ModelRow row) {
  switch (row) {
    case ModelRow::kBare:
      return "bare loop, allocator as it is";
    case ModelRow::kBareTuned:
      return "bare loop, tuned allocator";
    case ModelRow::kTrainer:
      return "Trainer, log on, no callback";
    case ModelRow::kTrainerUntuned:
      return "the same, tune_allocator off";
    case ModelRow::kUsualSet:
      return "the usual set";
    default:
      return "the usual set, 2 workers";
  }
}

/// One row in a process of its own.
ModelTiming time_in_process(const std::string& model, const std::string& row) {
  const std::string command = testing::program("step_overhead") + " --row " + model + "," + row;
  std::FILE* const output = ::popen(command.c_str(), "r");
  ModelTiming timing;
  const int read = output == nullptr ? 0
                                     : std::fscanf(output, "%lf %ld %ld %lf", &timing.us_per_step, &timing.steps,
                                                   &timing.page_faults, &timing.rss_mb);
  if (output == nullptr || ::pclose(output) != 0 || read != 4) {
    throw Error(command + " failed");
  }
  return timing;
}

void time_model_rows(const std::string& model, int repetitions) {
  const auto rows = model_rows(model);
  std::vector<std::vector<ModelTiming>> timings(rows.size());
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (size_t i = 0; i < rows.size(); ++i) {
      timings[i].push_back(time_in_process(model, rows[i].first));
    }
  }
  const auto us = [&](size_t row) {
    std::vector<double> values;
    for (const auto& timing : timings[row]) {
      values.push_back(timing.us_per_step);
    }
    return values;
  };
  const double bare = median(us(0));
  const double tuned = median(us(1));
  std::printf("\n%s: %lld steps, medians of %d interleaved processes\n", model_description(model).c_str(),
              static_cast<long long>(timings[0][0].steps), repetitions);
  std::printf("%-36s %10s %8s %8s %12s %8s  %s\n", "", "us/step", "of tuned", "of bare", "page faults", "RSS MB",
              "us/step [least, most]");
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto values = us(i);
    std::vector<double> faults;
    std::vector<double> rss;
    for (const auto& timing : timings[i]) {
      faults.push_back(static_cast<double>(timing.page_faults));
      rss.push_back(timing.rss_mb);
    }
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    std::printf("%-36s %10.1f %8.3f %8.3f %12.0f %8.0f  [%.1f, %.1f]\n", model_row_title(rows[i].second),
                median(values), median(values) / tuned, median(values) / bare, median(faults), median(rss), *least,
                *most);
  }
}

int time_row(const Settings& settings) {
  const auto rows = model_rows(settings.row[0]);
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const auto& known) { return known.first == settings.row[1]; });
  if (row == rows.end()) {
    throw ConfigError("there is no row '" + settings.row[1] + "'");
  }
  const ModelTiming timing = time_model(settings.row[0], row->second);
  std::printf("%f %ld %ld %f\n", timing.us_per_step, static_cast<long>(timing.steps),
              static_cast<long>(timing.page_faults), timing.rss_mb);
  return 0;
}

int run_command_line(int argc, char** argv) {
  Settings settings;
  std::vector<std::string> names = model_names();
  names.insert(names.end(), {"all", "none"});
  CLI::App app("What the runtime adds to a training step.");
  app.add_option("--steps", settings.steps, "Of the small step, in 10 epochs; 0: leave it out")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--repetitions", settings.repetitions, "Of each row")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--device", settings.device, "Of the small step: cpu, cuda, cuda:1")->capture_default_str();
  app.add_option("--models", settings.models, "Models of ordinary size to time, on the CPU")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--row", settings.row)->delimiter(',')->expected(2)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!settings.row.empty()) {
    return time_row(settings);
  }
  const int status = settings.steps > 0 ? time_small_step(settings) : 0;
  for (const auto& name : model_names()) {
    const auto asked = [&](const std::string& model) {
      return std::find(settings.models.begin(), settings.models.end(), model) != settings.models.end();
    };
    if (!asked("none") && (asked("all") || asked(name))) {
      time_model_rows(name, settings.repetitions);
    }
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_overhead: %s\n", error.what());
    return 1;
  }
}
