#include "troupe/callbacks/logging/csv_logger.h"

#include <doctest/doctest.h>

#include <fstream>
#include <limits>

#include "tests/support/captured_stderr.h"
#include "tests/support/fake_run.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/logger_run.h"
#include "tests/support/temporary_folder.h"
#include "troupe/callbacks/common/measured.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file_size_signal.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct Logged : LoggerRun<CSVLogger> {
  explicit Logged(const TemporaryFolder& folder, RunState state = {})
      : LoggerRun(folder, "metrics.csv", std::move(state)) {}

  /// The file of what was measured.
  std::string measured_text() const {
    std::ifstream file(path.parent_path() / "metrics_measured.csv", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void measure(const Measurements& measurements) {
    CallbackEmitted emitted;
    *emitted.mutable_event() = measured_event(measurements);
    run.send(emitted);
  }
};

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("CSVLogger writes a row for a step's, an epoch's and a validation's metrics") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit(logging_every(2));
  logged.run.train_batch({{"loss", 1.0}});
  logged.run.train_batch({{"loss", 0.1}});
  logged.run.train_batch({{"loss", 0.3}});
  logged.run.train_batch();
  logged.run.validate({{"val_loss", 1e-7}});
  logged.run.end_epoch({{"loss", 0.5}});
  logged.run.end_epoch();
  CHECK(logged.text() ==
        "epoch,step,loss,val_loss\n"
        "0,2,0.1,\n"
        "0,4,,1e-07\n"
        "0,4,0.5,\n");
}

TEST_CASE("a step is logged once though several batches accumulate into it, and never with log_every_n_steps 0") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit(logging_every(1));
  logged.accumulate();
  logged.run.train_batch({{"loss", 1.0}});
  logged.accumulate();
  CHECK(logged.text() == "epoch,step,loss\n0,1,1\n");

  logged.run.start_fit(logging_every(0));
  logged.run.train_batch({{"loss", 2.0}});
  CHECK(logged.text() == "epoch,step,loss\n0,1,1\n");
}

TEST_CASE("the sanity check is not logged") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit();
  logged.run.validate({{"val_loss", 1.0}}, v1::STAGE_SANITY_CHECK);
  CHECK(logged.text().empty());
}

TEST_CASE("values that are not finite are written by name") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit();
  logged.run.end_epoch({{"a", std::numeric_limits<double>::quiet_NaN()},
                        {"b", std::numeric_limits<double>::infinity()},
                        {"c", -std::numeric_limits<double>::infinity()}});
  CHECK(logged.text() == "epoch,step,a,b,c\n0,0,nan,inf,-inf\n");
}

TEST_CASE("names are quoted as RFC 4180 says, also when columns are added later") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit();
  logged.run.end_epoch({{"a,b", 1.0}});
  logged.run.end_epoch({{"say \"hi\"", 2.0}, {"two\nlines", 3.0}});
  logged.run.end_epoch({{"later", 4.0}});
  CHECK(logged.text() ==
        "epoch,step,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",later\n"
        "0,0,1,,,\n"
        "1,0,,2,3,\n"
        "2,0,,,,4\n");
}

TEST_CASE("a fresh run starts a fresh file") {
  const TemporaryFolder folder;
  write(folder.path() / "metrics.csv", "old\n");
  Logged logged(folder);
  CHECK(logged.text() == "old\n");
  logged.run.start_fit();
  CHECK(logged.text().empty());
}

TEST_CASE("a resumed run cuts off what came after its checkpoint, columns too") {
  const TemporaryFolder folder;
  Logged first(folder);
  first.run.start_fit(logging_every(1));
  first.run.train_batch({{"loss", 1.0}});
  const StateDict saved = first.callback->state_dict();
  const RunState state = first.run.state();
  const auto go_on = [](Logged& logged) {
    logged.run.train_batch({{"loss", 2.0}});
    logged.run.end_epoch({{"acc", 0.5}});
  };
  SUBCASE("rows alone") {
    first.run.train_batch({{"loss", 7.0}});
  }
  SUBCASE("rows and columns") {
    first.run.end_epoch({{"other", 7.0}});
  }
  SUBCASE("a torn row") {
    std::ofstream(first.path, std::ios::app) << "0,2,";
  }
  SUBCASE("nothing") {}
  Logged second(folder, state);
  second.run.resume(saved);
  CHECK(second.text() == "epoch,step,loss\n0,1,1\n");
  go_on(second);
  CHECK(second.text() == "epoch,step,loss,acc\n0,1,1,\n0,2,2,\n0,2,,0.5\n");
}

TEST_CASE("a callback restarted without saved state writes the file again from the start") {
  const TemporaryFolder folder;
  Logged first(folder);
  first.run.start_fit();
  first.run.end_epoch({{"loss", 1.0}});
  Logged again(folder);
  again.run.start_fit();
  again.run.end_epoch({{"loss", 1.0}});
  CHECK(again.text() == "epoch,step,loss\n0,0,1\n");
}

TEST_CASE("rows that are missing from the file are reported and the rest is kept") {
  const TemporaryFolder folder;
  Logged first(folder);
  first.run.start_fit();
  first.run.end_epoch({{"loss", 1.0}});
  first.run.end_epoch({{"loss", 2.0}});
  const StateDict saved = first.callback->state_dict();
  write(first.path, "epoch,step,loss\n0,0,1\n1,0");
  const CapturedStderr captured;
  Logged second(folder, first.run.state());
  second.run.resume(saved);
  CHECK(second.text() == "epoch,step,loss\n0,0,1\n");
  CHECK(captured.text() == "warning: CSVLogger{'path': 'metrics.csv'}: " + first.path.string() +
                               " has 1 of the 2 rows that the checkpoint knows; the others are lost\n");
  second.run.position() = first.run.position();
  second.run.end_epoch({{"loss", 3.0}});
  CHECK(second.text() == "epoch,step,loss\n0,0,1\n2,0,3\n");
}

TEST_CASE("a file that cannot be made is an error before the run that names it") {
  const TemporaryFolder folder;
  write(folder.path() / "file", "");
  CSVLogger logger({.path = "file/metrics.csv"});
  logger.set_run_directory(folder.path());
  for (const Stage stage : {v1::STAGE_FIT, v1::STAGE_VALIDATE, v1::STAGE_TEST}) {
    CHECK_THROWS_WITH_AS(logger.prepare_files(stage), doctest::Contains("file/metrics.csv"), IoError);
  }
  logger.prepare_files(v1::STAGE_PREDICT);
}

TEST_CASE("a disk that is full when a column comes leaves the file as it is, and nothing beside it") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit();
  logged.run.end_epoch({{"loss", 1.0}});
  const std::string before = logged.text();
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(10);
    CHECK_THROWS_AS(logged.run.end_epoch({{"loss", 1.0}, {"other", 2.0}}), IoError);
  }
  CHECK(logged.text() == before);
  CHECK(folder_content(folder.path()).size() == 1);
}

TEST_CASE("what observers measure goes into a file of its own, which there is not without it") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit(logging_every(1));
  logged.run.train_batch({{"loss", 1.0}});
  CHECK(folder_content(folder.path()).size() == 1);
  logged.measure({{"train/time", 0.5}});
  logged.run.train_batch({{"loss", 2.0}});
  logged.measure({{"cpu_percent", 12.5}, {"train/time", 0.75}});
  CHECK(logged.text() == "epoch,step,loss\n0,1,1\n0,2,2\n");
  CHECK(logged.measured_text() == "epoch,step,train/time,cpu_percent\n0,1,0.5,\n0,2,0.75,12.5\n");
}

TEST_CASE("a module's own measurements are logged like those of observers") {
  const TemporaryFolder folder;
  Logged logged(folder);
  logged.run.start_fit();
  logged.run.send(measured_event({{"queue", 3}}));
  CHECK(logged.measured_text() == "epoch,step,queue\n0,0,3\n");
}

TEST_CASE("a resumed run cuts measurements off that came after its checkpoint") {
  const TemporaryFolder folder;
  Logged first(folder);
  first.run.start_fit(logging_every(1));
  std::string kept;
  SUBCASE("with measurements before it") {
    first.measure({{"train/time", 0.5}});
    kept = "epoch,step,train/time\n0,0,0.5\n";
  }
  SUBCASE("without") {}
  const StateDict saved = first.callback->state_dict();
  const RunState state = first.run.state();
  first.measure({{"other", 7}, {"train/time", 1}});
  Logged second(folder, state);
  second.run.resume(saved);
  CHECK(second.measured_text() == kept);
  second.measure({{"train/time", 2}});
  CHECK(second.measured_text() == (kept.empty() ? "epoch,step,train/time\n" : kept) + "0,0,2\n");
}

TEST_CASE("a fresh run starts a fresh file of measurements") {
  const TemporaryFolder folder;
  write(folder.path() / "metrics_measured.csv", "old\n");
  Logged logged(folder);
  logged.run.start_fit();
  CHECK(logged.measured_text().empty());
}
