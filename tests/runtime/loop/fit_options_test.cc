// Options of the trainer and hooks of the module, as the loop carries them out.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <limits>

#include "tests/support/captured_stderr.h"
#include "tests/support/recording_sink.h"
#include "tests/support/scripted_module.h"
#include "tests/support/tiny_module.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/loop/evaluation_run.h"
#include "troupe/runtime/loop/fit_run.h"

using namespace troupe;
using troupe::testing::CapturedStderr;

namespace {

TrainerOptions one_epoch() {
  TrainerOptions options;
  options.max_epochs = 1;
  options.num_sanity_val_steps = 0;
  return options;
}

void fit(Module& module, DataModule& data, const TrainerOptions& options, RecordingSink& sink) {
  FitRun(module, data.train_dataloader(), data.val_dataloaders(), options).run(sink, RunStarted());
}

template <EventBody E>
std::vector<Event> all_of(const RecordingSink& sink) {
  std::vector<Event> found;
  for (const auto& event : sink.events) {
    if (event->body_case() == EventTraits<E>::kType) {
      found.push_back(*event);
    }
  }
  return found;
}

std::vector<std::string> names_of(const google::protobuf::RepeatedPtrField<Metric>& metrics) {
  std::vector<std::string> names;
  for (const auto& metric : metrics) {
    names.push_back(metric.name());
  }
  return names;
}

/// Counts its samples: the target of sample i is i.
class CountingData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    const auto dataset = std::make_shared<TensorDataset>(torch::ones({32, 4}), torch::arange(32));
    return make_data_loader(dataset, {.batch_size = 2, .seed = 3, .shuffle = true});
  }
};

/// Keeps what it was shown.
class LookingModule : public TinyModule {
 public:
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    seen.push_back(batch.target.sum().item<int64_t>());
    return parameters()[0].sum();
  }
  std::vector<int64_t> seen;
};

}  // namespace

TEST_CASE("overfit_batches trains on the dataset's first batches in every epoch, and says so") {
  LookingModule module;
  CountingData data;
  auto options = one_epoch();
  options.max_epochs = 2;
  options.overfit_batches = 2;
  options = options.effective();
  RecordingSink sink;
  CapturedStderr captured;
  fit(module, data, options, sink);
  CHECK(module.seen == std::vector<int64_t>{0 + 1, 2 + 3, 0 + 1, 2 + 3});
  CHECK(captured.text().find("no longer shuffles") != std::string::npos);
}

TEST_CASE("bf16-mixed computes forward passes in bfloat16 and keeps parameters and gradients in float32") {
  class Mixed : public TinyModule {
   public:
    at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
      const auto loss = TinyModule::training_step(batch, batch_index);
      forward_dtype = torch::linear(batch.data, parameters()[0]).scalar_type();
      return loss;
    }
    void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
      validation_dtype = torch::linear(batch.data, parameters()[0]).scalar_type();
    }
    void on_before_optimizer_step() override { gradient_dtype = parameters()[0].grad().scalar_type(); }
    void on_train_batch_end(const Batch& batch, int64_t /*batch_index*/) override {
      hook_dtype = torch::linear(batch.data, parameters()[0]).scalar_type();
    }
    at::ScalarType forward_dtype{}, validation_dtype{}, gradient_dtype{}, hook_dtype{};
  } module;
  TinyData data;
  auto options = one_epoch();
  options.precision = Precision::kBf16Mixed;
  RecordingSink sink;
  const auto before = weights_of(module);
  fit(module, data, options, sink);
  CHECK((module.forward_dtype == at::kBFloat16));
  CHECK((module.validation_dtype == at::kBFloat16));
  CHECK((module.gradient_dtype == at::kFloat));
  CHECK((module.hook_dtype == at::kFloat));
  CHECK((module.parameters()[0].scalar_type() == at::kFloat));
  CHECK(weights_of(module) != before);
}

TEST_CASE("detect_anomaly names the batch whose backward pass gives NaN") {
  ScriptedModule module({.nan_at = 2});
  ScriptedData data({});
  auto options = one_epoch();
  RecordingSink sink;
  SUBCASE("on") {
    options.detect_anomaly = true;
    CHECK_THROWS_WITH_AS(fit(module, data, options, sink), doctest::Contains("batch 2 of epoch 0"), Error);
    CHECK(all_of<ExceptionRaised>(sink).size() == 1);
  }
  SUBCASE("off") {
    CHECK_NOTHROW(fit(module, data, options, sink));
  }
}

TEST_CASE("barebones ignores what the module logs") {
  TinyModule module;
  TinyData data;
  TrainerOptions options;
  options.max_epochs = 1;
  options.barebones = true;
  options = options.effective();
  RecordingSink sink;
  fit(module, data, options, sink);
  CHECK(all_of<SanityCheckStarted>(sink).empty());
  for (const auto& event : all_of<TrainBatchEnded>(sink)) {
    CHECK(event.train_batch_ended().metrics().empty());
  }
  REQUIRE(all_of<ValidationEnded>(sink).size() == 1);
  CHECK(all_of<ValidationEnded>(sink)[0].validation_ended().metrics().empty());
  CHECK_THROWS_AS(module.log("loss", 1.0), ConfigError);  // As ever, outside a run.
}

TEST_CASE("a time-based interval validates when its time has passed, and records that the clock decided") {
  TinyModule module;
  TinyData data;
  auto options = one_epoch();
  RecordingSink sink;
  SUBCASE("never in a short run") {
    options.val_check_interval = "01:00:00:00";
    fit(module, data, options, sink);
    CHECK(all_of<ValidationEnded>(sink).empty());
    CHECK(all_of<InputRecorded>(sink).empty());
    CHECK(all_of<FitStarted>(sink)[0].fit_started().validates_on_time());
  }
  SUBCASE("after the first batch when the last validation was long ago") {
    options.val_check_interval = "00:01:00:00";
    FitRun loop(module, data.train_dataloader(), data.val_dataloaders(), options);
    sink.asked.set(Event::kTrainStarted);
    sink.decide = [&](const Event&) { return std::vector<Decision>(); };
    constexpr uint64_t kHourUs = 3'600'000'000;
    module.in_training_step = [&](int64_t batch_index) {
      // The run is two hours old by then, and has just begun to train.
      if (batch_index == 0) {
        loop.training().loop().set_last_validation_us(0);
      }
    };
    loop.run(sink, RunStarted(), 2 * kHourUs);
    REQUIRE(all_of<ValidationEnded>(sink).size() == 1);
    const auto inputs = all_of<InputRecorded>(sink);
    REQUIRE(inputs.size() == 1);
    CHECK(inputs[0].input_recorded().clock().kind() == v1::ClockDecision::KIND_VALIDATION);
    CHECK(inputs[0].input_recorded().clock().elapsed_us() >= 2 * kHourUs);
    CHECK(inputs[0].position().batch_index() == 0);
    CHECK(inputs[0].seq() < all_of<ValidationStarted>(sink)[0].seq());
  }
}

TEST_CASE("several validation loaders are gone through in order, each with metrics of its own") {
  class Validated : public TinyModule {
   public:
    void validation_step(const Batch& batch, int64_t batch_index) override {
      TinyModule::validation_step(batch, batch_index);
      log("shared", 1.0, {.add_dataloader_idx = false});
      log("forked", 1.0, {.on_epoch = true, .on_step = true});
      places.emplace_back(dataloader_index(), batch_index);
    }
    std::vector<std::pair<int64_t, int64_t>> places;
  } module;
  class TwoLoaders : public TinyData {
    DataLoaders val_dataloaders() override { return {val_dataloader(), val_dataloader()}; }
  } data;
  auto options = one_epoch();
  options.limit_train_batches = 1;
  RecordingSink sink;
  fit(module, data, options, sink);
  CHECK(module.places == std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const auto ended = all_of<ValidationBatchEnded>(sink);
  REQUIRE(ended.size() == 4);
  CHECK(ended[1].position().dataloader_index() == 0);
  CHECK(ended[2].position().dataloader_index() == 1);
  CHECK(ended[2].position().batch_index() == 0);
  CHECK(names_of(ended[2].validation_batch_ended().metrics()) ==
        std::vector<std::string>{"forked/dataloader_idx_1", "forked_step/dataloader_idx_1"});
  CHECK(names_of(all_of<ValidationEnded>(sink)[0].validation_ended().metrics()) ==
        std::vector<std::string>{"forked/dataloader_idx_0", "forked/dataloader_idx_1", "forked_epoch/dataloader_idx_0",
                                 "forked_epoch/dataloader_idx_1", "shared", "val_loss/dataloader_idx_0",
                                 "val_loss/dataloader_idx_1"});
  const auto facts = all_of<FitStarted>(sink)[0].fit_started();
  CHECK(facts.validation_batches() == 4);
  CHECK(facts.validation_batches_by_loader_size() == 2);
  CHECK(all_of<TrainEpochEnded>(sink)[0].position().dataloader_index() == 0);
}

TEST_CASE("a validation over several loaders is resumed at its very batch") {
  const auto run = [](const Snapshot* from, RecordingSink& sink) {
    TinyModule module;
    class ThreeLoaders : public TinyData {
      DataLoaders val_dataloaders() override { return {val_dataloader(), val_dataloader(), val_dataloader()}; }
    } data;
    const auto options = one_epoch();
    FitRun loop(module, data.train_dataloader(), static_cast<DataModule&>(data).val_dataloaders(), options);
    if (from != nullptr) {
      loop.restore(*from);
      RunResumed resumed;
      resumed.set_checkpoint("x.ckpt");
      loop.run(sink, resumed);
    } else {
      loop.run(sink, RunStarted());
    }
  };
  torch::manual_seed(1);
  RecordingSink whole;
  whole.asked.set(Event::kValidationBatchEnded);
  whole.decide = [](const Event&) {
    Decision decision{"saver", "Saver", {}};
    decision.command.mutable_save_checkpoint()->set_path("x.ckpt");
    return std::vector<Decision>{decision};
  };
  run(nullptr, whole);
  REQUIRE(whole.snapshots.size() == 6);
  const auto means = [](const RecordingSink& sink) {
    return all_of<ValidationEnded>(sink)[0].validation_ended().SerializeAsString();
  };
  for (size_t i = 0; i < whole.snapshots.size(); ++i) {
    RecordingSink rest;
    run(whole.snapshots[i].get(), rest);
    CHECK(all_of<ValidationBatchEnded>(rest).size() == 5 - i);
    CHECK(means(rest) == means(whole));
  }
}

TEST_CASE("on_train_batch_start may leave out the rest of the epoch") {
  ScriptedModule module({.skip_epoch_at = 2});
  ScriptedData data({.train_batches = 4, .val_batches = 0});
  auto options = one_epoch();
  options.max_epochs = 2;
  RecordingSink sink;
  fit(module, data, options, sink);
  CHECK(all_of<TrainBatchStarted>(sink).size() == 6);
  CHECK(all_of<TrainBatchEnded>(sink).size() == 4);
  CHECK(all_of<TrainEpochEnded>(sink).size() == 2);
}

TEST_CASE("a module can do what the loop does by default in its own way") {
  class Own : public TinyModule {
   public:
    Batch transfer_batch(Batch batch) override {
      batch.data = batch.data * 2;
      return batch;
    }
    void configure_gradient_clipping(std::optional<double> value, GradientClipAlgorithm /*algorithm*/) override {
      clip_val = value;
      for (auto& parameter : parameters()) {
        parameter.mutable_grad().zero_();
      }
    }
    bool lr_scheduler_step() override { return ++due % 2 == 0; }
    void on_train_batch_start_check(const Batch& batch) { data_seen = batch.data.max().item<float>(); }
    EpochGoes on_train_batch_start(const Batch& batch, int64_t /*batch_index*/) override {
      on_train_batch_start_check(batch);
      return EpochGoes::kOn;
    }
    std::vector<OptimizerConfig> configure_optimizers() override {
      auto configs = TinyModule::configure_optimizers();
      configs[0].lr_schedule = lr_schedule::exponential(0.5);
      configs[0].interval = OptimizerConfig::Interval::kStep;
      return configs;
    }
    std::optional<double> clip_val;
    float data_seen = 0;
    int due = 0;
  } module;
  TinyData data;
  auto options = one_epoch();
  options.gradient_clip_val = 0.5;
  RecordingSink sink;
  const auto before = weights_of(module);
  FitRun loop(module, data.train_dataloader(), data.val_dataloaders(), options);
  loop.run(sink, RunStarted());
  CHECK(module.data_seen == 2);
  CHECK(module.clip_val == 0.5);
  CHECK(weights_of(module) == before);
  CHECK(module.due == 4);
  CHECK(loop.training().learning_rates()[0] == doctest::Approx(0.1 / 4));
}

TEST_CASE("gradients of parameters that the optimizer does not hold count for nothing in clipping") {
  class WithForeign : public TinyModule {
   public:
    WithForeign() { foreign_ = register_parameter("foreign", torch::ones({3})); }
    at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
      return TinyModule::training_step(batch, batch_index) + 1000 * foreign_.sum();
    }
    std::vector<OptimizerConfig> configure_optimizers() override {
      std::vector<at::Tensor> held;
      for (const auto& parameter : named_parameters()) {
        if (parameter.key() != "foreign") {
          held.push_back(parameter.value());
        }
      }
      return {{.optimizer = std::make_shared<torch::optim::SGD>(held, torch::optim::SGDOptions(0.1))}};
    }

   private:
    at::Tensor foreign_;
  };
  auto options = one_epoch();
  options.gradient_clip_val = 0.01;
  TinyData data;
  RecordingSink sink;
  torch::manual_seed(1);
  TinyModule alone;
  fit(alone, data, options, sink);
  torch::manual_seed(1);
  WithForeign with_foreign;
  const auto before = weights_of(with_foreign);
  fit(with_foreign, data, options, sink);
  auto after = weights_of(with_foreign);
  CHECK(after != before);
  CHECK(std::vector<float>(after.begin(), after.begin() + 3) ==
        std::vector<float>(3, 1.0F));  // The module's own first.
  after.erase(after.begin(), after.begin() + 3);
  CHECK(after == weights_of(alone));
}

TEST_CASE("setup comes before the optimizers are asked for, teardown comes whatever happens") {
  ScriptedData data({.train_batches = 1, .val_batches = 0});
  RecordingSink sink;
  SUBCASE("at the end") {
    ScriptedModule module({});
    fit(module, data, one_epoch(), sink);
    CHECK(module.hooks()[0] == "setup");
    CHECK(module.hooks()[1] == "configure_optimizers");
    CHECK(module.hooks().back() == "teardown");
    CHECK(std::count(module.hooks().begin(), module.hooks().end(), "teardown") == 1);
  }
  SUBCASE("after an exception") {
    ScriptedModule module({.throw_at = {"training_step"}});
    CHECK_THROWS(fit(module, data, one_epoch(), sink));
    CHECK(std::vector<std::string>(module.hooks().end() - 2, module.hooks().end()) ==
          std::vector<std::string>{"on_exception", "teardown"});
  }
  SUBCASE("when the fit cannot even start") {
    ScriptedModule module({.throw_at = {"configure_optimizers"}});
    CHECK_THROWS(fit(module, data, one_epoch(), sink));
    CHECK(module.hooks() == std::vector<std::string>{"setup", "configure_optimizers", "teardown"});
  }
  SUBCASE("when teardown itself throws, which is the run's error") {
    ScriptedModule module({.throw_at = {"teardown"}});
    CHECK_THROWS_WITH(fit(module, data, one_epoch(), sink), "thrown at teardown");
    CHECK(all_of<ExceptionRaised>(sink).size() == 1);
    CHECK(all_of<TornDown>(sink).size() == 1);
  }
}

TEST_CASE("an evaluation limits each of its loaders, and puts every mode back before model_train") {
  class Evaluated : public TinyModule {
   public:
    void on_test_model_train() override { trains_again = is_training(); }
    void on_test_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) override { log("in_hook", 1.0); }
    bool trains_again = false;
  } module;
  TinyData data;
  TrainerOptions options;
  options.limit_test_batches = 1;
  RecordingSink sink;
  ModuleScope scope(module, v1::STAGE_TEST);
  const auto result =
      run_evaluation(scope, {data.test_dataloader(), data.test_dataloader()}, options, sink, RunStarted());
  CHECK(all_of<TestBatchEnded>(sink).size() == 2);
  REQUIRE(result.metrics.size() == 4);
  CHECK(result.metrics[0].first == "in_hook/dataloader_idx_0");
  CHECK(result.metrics[3].first == "test_loss/dataloader_idx_1");
  CHECK(module.trains_again);
}
