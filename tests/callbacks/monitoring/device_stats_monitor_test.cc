#include "troupe/callbacks/monitoring/device_stats_monitor.h"

#include <doctest/doctest.h>

#include "tests/support/captured_stderr.h"
#include "tests/support/fake_run.h"
#include "tests/support/kept_measurements.h"

using namespace troupe;
using namespace troupe::testing;
using std::chrono::milliseconds;

namespace {

int pretended_device = 0;

/// A GPU of which only power is known.
std::optional<NvmlApi> power_meter() {
  NvmlApi api;
  api.init = [] { return 0; };
  api.shutdown = [] { return 0; };
  api.device_count = [](unsigned int* count) {
    *count = 1;
    return 0;
  };
  api.device_by_index = [](unsigned int, NvmlApi::Device* device) {
    *device = &pretended_device;
    return 0;
  };
  api.power = [](NvmlApi::Device, unsigned int* milliwatts) {
    *milliwatts = 5000;
    return 0;
  };
  return api;
}

/// A run with a DeviceStatsMonitor on a machine whose memory is half in use and whose clock the test turns.
struct Monitored {
  explicit Monitored(DeviceStatsMonitorOptions options = {}, bool gpu = false) : run(make(std::move(options), gpu)) {}

  std::shared_ptr<DeviceStatsMonitor> make(DeviceStatsMonitorOptions options, bool gpu) {
    DeviceStatsSources sources;
    sources.load_nvml = [gpu] { return gpu ? power_meter() : std::nullopt; };
    sources.now = [this] { return std::chrono::steady_clock::time_point(now); };
    sources.read = [](const std::string& path) -> std::optional<std::string> {
      return path == "/proc/meminfo" ? std::optional<std::string>("MemTotal: 8 kB\nMemAvailable: 4 kB\n")
                                     : std::nullopt;
    };
    auto callback = std::make_shared<DeviceStatsMonitor>(std::move(options), std::move(sources));
    callback->set_outbox(kept);
    return callback;
  }

  /// A fit that logs every n steps, with batches 1 s apart.
  void train(uint32_t log_every_n_steps, int batches, milliseconds apart = milliseconds(1000)) {
    FitStarted fit = usual_fit();
    fit.set_log_every_n_steps(log_every_n_steps);
    run.start_fit(fit);
    for (int i = 0; i < batches; ++i) {
      now += apart;
      run.train_batch();
    }
  }
  template <class Ended>
  void evaluate(Stage stage, int batches, milliseconds apart) {
    run.position().set_stage(stage);
    for (int i = 0; i < batches; ++i) {
      now += apart;
      run.send(Ended());
    }
  }

  milliseconds now{5000};
  std::shared_ptr<KeptMeasurements> kept = std::make_shared<KeptMeasurements>();
  FakeRun run;
};

const Measurements kMachine{{"DeviceStatsMonitor.on_train_batch_end/cpu_swap_percent", 0},
                            {"DeviceStatsMonitor.on_train_batch_end/cpu_vm_percent", 50}};
const Measurements kPower{{"DeviceStatsMonitor.on_train_batch_end/gpu:0/power_watts", 5}};

}  // namespace

TEST_CASE("DeviceStatsMonitor measures at every log_every_n_steps-th step, by Lightning's names") {
  Monitored monitored;
  monitored.train(3, 10);
  CHECK(monitored.kept->events == std::vector<Measurements>(3, kMachine));
}

TEST_CASE("DeviceStatsMonitor measures nothing in a fit with log_every_n_steps 0") {
  Monitored monitored;
  monitored.train(0, 10);
  monitored.evaluate<ValidationBatchEnded>(v1::STAGE_VALIDATE, 3, milliseconds(2000));
  CHECK(monitored.kept->events.empty());
}

TEST_CASE("DeviceStatsMonitor measures a step of several batches once, and at most ten times a second") {
  Monitored monitored;
  monitored.train(1, 1);
  monitored.now += milliseconds(1000);
  monitored.run.send(TrainBatchEnded());  // It only accumulates.
  CHECK(monitored.kept->events.size() == 1);
  Monitored fast;
  fast.train(1, 100, milliseconds(30));
  CHECK(fast.kept->events.size() == 25);  // Every fourth.
}

TEST_CASE("DeviceStatsMonitor measures once a second in validations and tests, and not in the sanity check") {
  Monitored monitored;
  monitored.train(50, 0);
  monitored.evaluate<ValidationBatchEnded>(v1::STAGE_SANITY_CHECK, 4, milliseconds(2000));
  CHECK(monitored.kept->events.empty());
  monitored.evaluate<ValidationBatchEnded>(v1::STAGE_VALIDATE, 4, milliseconds(500));
  REQUIRE(monitored.kept->events.size() == 2);
  CHECK(monitored.kept->events[0].contains("DeviceStatsMonitor.on_validation_batch_end/cpu_vm_percent"));

  Monitored tested;
  RunStarted started;
  started.set_stage(v1::STAGE_TEST);
  tested.run.send(started);
  tested.evaluate<TestBatchEnded>(v1::STAGE_TEST, 3, milliseconds(1000));
  REQUIRE(tested.kept->events.size() == 3);
  CHECK(tested.kept->events[0].contains("DeviceStatsMonitor.on_test_batch_end/cpu_vm_percent"));
}

TEST_CASE("DeviceStatsMonitor measures the machine where there is no GPU, or where it is told to") {
  Measurements both = kMachine;
  both.insert(kPower.begin(), kPower.end());
  const auto measured = [](std::optional<bool> cpu_stats, bool gpu) {
    Monitored monitored({.cpu_stats = cpu_stats}, gpu);
    monitored.train(1, 1);
    return monitored.kept->events;
  };
  CHECK(measured(std::nullopt, false) == std::vector{kMachine});
  CHECK(measured(std::nullopt, true) == std::vector{kPower});
  CHECK(measured(true, true) == std::vector{both});
  CHECK(measured(false, true) == std::vector{kPower});
  CHECK(measured(false, false).empty());
}

TEST_CASE("DeviceStatsMonitor keeps what filter_keys name, of one GPU or of every one") {
  const auto measured = [](const std::vector<std::string>& keys) {
    Monitored monitored({.cpu_stats = true, .filter_keys = keys}, /*gpu=*/true);
    monitored.train(1, 1);
    return monitored.kept->events;
  };
  CHECK(measured({"power_watts"}) == std::vector{kPower});
  CHECK(measured({"gpu:0/power_watts"}) == std::vector{kPower});
  const CapturedStderr captured;
  CHECK(measured({"power_watts", "gpu:1/power_watts"}) == std::vector{kPower});
  CHECK(measured({"cpu_swap_percent", "cpu_vm_percent"}) == std::vector{kMachine});
}

TEST_CASE("DeviceStatsMonitor warns once of a filter key that nothing has") {
  const CapturedStderr captured;
  Monitored monitored({.filter_keys = {"cpu_vm_precent", "cpu_swap_percent"}});
  monitored.train(1, 3);
  CHECK(captured.text() ==
        "troupe: warning: DeviceStatsMonitor: 'filter_keys': nothing that is measured here is named 'cpu_vm_precent' "
        "(did you mean 'cpu_vm_percent'?); allowed: cpu_swap_percent, cpu_vm_percent\n");
  CHECK(monitored.kept->events.size() == 3);
}

TEST_CASE("DeviceStatsMonitor goes on counting steps where a resumed run is") {
  Monitored monitored;
  monitored.train(10, 9);
  monitored.run.resume({});
  CHECK(monitored.kept->events.empty());
  monitored.now += milliseconds(1000);
  monitored.run.train_batch();
  CHECK(monitored.kept->events.size() == 1);
}
