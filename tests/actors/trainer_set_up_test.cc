// What goes wrong while a run is set up is in its log, and costs nothing that was there.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/captured_stderr.h"
#include "tests/support/files.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/run_directory.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

/// Where the program throws, and which of its hooks have been called.
struct Script {
  std::string throws_at = {};
  std::vector<std::string> calls = {};

  void call(const std::string& hook) {
    calls.push_back(hook);
    if (hook == throws_at) {
      throw std::domain_error("no " + hook);
    }
  }
  bool called(const std::string& hook) const { return std::find(calls.begin(), calls.end(), hook) != calls.end(); }
};

struct SetUpModule : TinyModule {
  explicit SetUpModule(Script& script) : script(script) {}
  void setup(Stage /*stage*/) override { script.call("module.setup"); }
  void teardown(Stage /*stage*/) override { script.call("module.teardown"); }
  void on_exception(const std::string& /*message*/) override { script.call("module.on_exception"); }
  std::vector<OptimizerConfig> configure_optimizers() override {
    script.call("configure_optimizers");
    return TinyModule::configure_optimizers();
  }
  Script& script;
};

struct SetUpData : TinyData {
  explicit SetUpData(Script& script) : script(script) {}
  void prepare_data() override { script.call("prepare_data"); }
  void setup(Stage /*stage*/) override { script.call("data.setup"); }
  void teardown(Stage /*stage*/) override { script.call("data.teardown"); }
  std::shared_ptr<DataLoader> train_dataloader() override {
    script.call("train_dataloader");
    return TinyData::train_dataloader();
  }
  std::shared_ptr<DataLoader> test_dataloader() override {
    script.call("test_dataloader");
    return TinyData::test_dataloader();
  }
  Script& script;
};

/// Their types, without CallbackAttached.
std::vector<std::string> event_names(const fs::path& run_dir) {
  std::vector<std::string> names;
  for (const auto& event : history_of(run_dir)) {
    if (!event.has_callback_attached()) {
      names.push_back(event_info(event.body_case()).name);
    }
  }
  return names;
}

RunResult fit(Trainer& trainer, Script& script, const std::string& resume = {}) {
  SetUpModule module(script);
  SetUpData data(script);
  return trainer.fit(module, data, resume);
}

void check_failed_log(const fs::path& run_dir, const std::string& hook) {
  CHECK(event_names(run_dir) == std::vector<std::string>{"RunStarted", "ExceptionRaised", "TornDown", "RunEnded"});
  const auto raised = events_of<ExceptionRaised>(run_dir);
  REQUIRE(raised.size() == 1);
  CHECK(raised[0].exception_raised().type() == "std::domain_error");
  CHECK(raised[0].exception_raised().message() == "no " + hook);
  CHECK(events_of<RunEnded>(run_dir)[0].run_ended().status() == v1::RUN_STATUS_FAILED);
  CHECK(verify_event_log(run_dir / "events").sound());
}

}  // namespace

TEST_CASE("what a program throws while a new run is set up is in its log, and what was set up is torn down") {
  for (const std::string hook :
       {"prepare_data", "data.setup", "train_dataloader", "module.setup", "configure_optimizers"}) {
    CAPTURE(hook);
    const TemporaryFolder folder;
    Trainer trainer(tiny_options(folder.path() / "run"));
    Script script{.throws_at = hook};
    CHECK_THROWS_WITH_AS(fit(trainer, script), ("no " + hook).c_str(), std::domain_error);
    check_failed_log(folder.path() / "run", hook);
    const bool module_was_up = hook == "configure_optimizers";
    CHECK(script.called("module.on_exception") == module_was_up);
    CHECK(script.called("module.teardown") == module_was_up);
    CHECK(script.called("data.teardown") == (hook != "prepare_data" && hook != "data.setup"));
  }
}

TEST_CASE("a run that failed while it was set up is begun again by a resume") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  Trainer trainer(tiny_options(folder.path() / "run"));
  Script broken{.throws_at = "configure_optimizers"};
  CHECK_THROWS_AS(fit(trainer, broken), std::domain_error);
  Script mended;
  const auto result = fit(trainer, mended, "last");
  CHECK(result.status == v1::RUN_STATUS_FINISHED);
  CHECK(result.state.incarnation() == 2);
  CHECK(result.state.global_step() == 8);
  CHECK(verify_event_log(folder.path() / "run" / "events").sound());
}

TEST_CASE("a resume that fails while it is set up leaves the run as it was, to be resumed again") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.enable_checkpointing = true;
  Script first;
  Trainer begun(options);
  fit(begun, first);
  options.max_epochs = 3;
  const auto before = folder_content(folder.path() / "run" / "events");
  for (const std::string hook : {"prepare_data", "module.setup", "configure_optimizers"}) {
    CAPTURE(hook);
    Trainer trainer(options);
    Script script{.throws_at = hook};
    CHECK_THROWS_AS(fit(trainer, script, "last"), std::domain_error);
    CHECK((folder_content(folder.path() / "run" / "events") == before));  // No text of either is wanted.
  }
  Trainer trainer(options);
  Script script;
  CHECK(fit(trainer, script, "last").state.global_step() == 12);
}

TEST_CASE("an evaluation that fails while it is set up has a log that says so") {
  const TemporaryFolder folder;
  for (const std::string hook : {"data.setup", "test_dataloader", "module.setup"}) {
    CAPTURE(hook);
    const fs::path run_dir = folder.path() / hook;
    Trainer trainer(tiny_options(run_dir));
    Script script{.throws_at = hook};
    SetUpModule module(script);
    SetUpData data(script);
    CHECK_THROWS_AS(trainer.test(module, data), std::domain_error);
    check_failed_log(run_dir / "test" / "001", hook);
  }
}

TEST_CASE("what a controller commands when a run begins is carried out once it is set up, and refused if it never is") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  for (const bool fails : {false, true}) {
    const fs::path run_dir = folder.path() / (fails ? "failed" : "sound");
    auto options = tiny_options(run_dir);
    options.num_sanity_val_steps = 0;  // After which every metric is forgotten.
    Trainer trainer(options);
    trainer.on<RunStarted>("early", [](const RunStarted&, Control& control) { control.log("half", 0.5); });
    Script script{.throws_at = fails ? "module.setup" : ""};
    if (fails) {
      CHECK_THROWS_AS(fit(trainer, script), std::domain_error);
      CHECK(event_names(run_dir) ==
            std::vector<std::string>{"RunStarted", "CommandRefused", "ExceptionRaised", "TornDown", "RunEnded"});
    } else {
      CHECK(fit(trainer, script).state.metric("half") == 0.5);
      const auto names = event_names(run_dir);
      CHECK(std::vector<std::string>(names.begin(), names.begin() + 4) ==
            std::vector<std::string>{"RunStarted", "CommandApplied", "SetUp", "FitStarted"});
    }
  }
}

TEST_CASE("wrong use that is found before a hook of the program is called writes nothing") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.device = "nowhere";
  Trainer trainer(options);
  Script script;
  CHECK_THROWS_AS(fit(trainer, script), ConfigError);
  CHECK(script.calls.empty());
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}
