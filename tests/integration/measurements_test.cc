// What observers measure in a real run reaches the log and the CSV file, and changes nothing of the run.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "tests/support/files.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/common/measured.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/device_stats_monitor.h"
#include "troupe/callbacks/monitoring/throughput_monitor.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

/// Names of everything that was measured, by the state key of who did.
std::map<std::string, std::set<std::string>> measured_names(const fs::path& run_dir) {
  std::map<std::string, std::set<std::string>> names;
  for (const auto& event : events_of<CallbackEmitted>(run_dir)) {
    const v1::UserEvent& emitted = event.callback_emitted().event();
    v1::Measured measured;
    parse_user_event(emitted, measured, "test");
    for (const auto& metric : measured.metrics()) {
      names[emitted.from()].insert(metric.name());
    }
  }
  return names;
}

/// The weights after a fit whose every step is logged.
std::vector<float> logged_fit(const fs::path& run_dir, bool monitors) {
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  TrainerOptions options = tiny_options(run_dir);
  options.log_every_n_steps = 1;
  Trainer trainer(options);
  trainer.add(CSVLogger());
  if (monitors) {
    trainer.add(DeviceStatsMonitor({.cpu_stats = true}));
    trainer.add(ThroughputMonitor({.items_per_sample = 4, .window_size = 2}));
  }
  trainer.fit(module, data);
  return weights_of(module);
}

}  // namespace

TEST_CASE("DeviceStatsMonitor and ThroughputMonitor tell of a run and change nothing of it") {
  const TemporaryFolder folder;
  const fs::path watched = folder.path() / "watched";
  const fs::path alone = folder.path() / "alone";
  CHECK(logged_fit(watched, true) == logged_fit(alone, false));
  CHECK(shared_events(watched) == shared_events(alone));
  CHECK(read_file(watched / "metrics.csv") == read_file(alone / "metrics.csv"));
  CHECK(measured_names(alone).empty());
  CHECK_FALSE(fs::exists(alone / "metrics_measured.csv"));

  const auto names = measured_names(watched);
  REQUIRE(names.contains("ThroughputMonitor"));
  CHECK(names.at("ThroughputMonitor") ==
        std::set<std::string>{"train/batches", "train/device/batches_per_sec", "train/device/items_per_sec",
                              "train/device/samples_per_sec", "train/lengths", "train/samples", "train/time"});
  REQUIRE(names.contains("DeviceStatsMonitor"));
  CHECK(names.at("DeviceStatsMonitor").contains("DeviceStatsMonitor.on_train_batch_end/process_rss_bytes"));

  const std::string table = read_file(watched / "metrics_measured.csv");
  for (const auto& [from, columns] : names) {
    for (const auto& column : columns) {
      CAPTURE(column);
      CHECK(table.substr(0, table.find('\n')).find(column) != std::string::npos);
    }
  }
  const auto rows = static_cast<size_t>(std::count(table.begin(), table.end(), '\n'));
  CHECK(rows == 1 + events_of<CallbackEmitted>(watched).size());
}
