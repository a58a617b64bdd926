#include "troupe/runtime/log/run_directory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <regex>

#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("a run directory is made with its folders and takes its configuration") {
  const TemporaryFolder folder;
  const RunDirectory run(folder.path() / "runs" / "a");
  CHECK(std::filesystem::is_directory(run.events()));
  CHECK(std::filesystem::is_directory(run.checkpoints()));
  run.write_config("{}");
  run.write_config("{\"a\": 1}");
  CHECK(read_file(run.config()) == "{\"a\": 1}");
}

TEST_CASE("a run directory is rid of the configuration that a process died writing, and of nothing else") {
  const TemporaryFolder folder;
  overwrite_file(folder.path() / "config.json.tmp-1", "{");
  overwrite_file(folder.path() / "report.html.tmp-1", "another program's");
  const RunDirectory run(folder.path());
  CHECK_FALSE(std::filesystem::exists(folder.path() / "config.json.tmp-1"));
  CHECK(std::filesystem::exists(folder.path() / "report.html.tmp-1"));
}

TEST_CASE("a second writer is refused with the process that holds the run, until that one lets go") {
  const TemporaryFolder folder;
  {
    const RunDirectory first(folder.path());
    CHECK_THROWS_WITH_AS(RunDirectory{folder.path()},
                         doctest::Contains(("process " + std::to_string(::getpid())).c_str()), ConfigError);
  }
  CHECK_NOTHROW(RunDirectory{folder.path()});
}

TEST_CASE("a run directory that cannot be made is an IoError that names it") {
  const TemporaryFolder folder;
  overwrite_file(folder.path() / "file", "");
  CHECK_THROWS_WITH_AS(RunDirectory{folder.path() / "file" / "run"}, doctest::Contains("file/run"), IoError);
}

TEST_CASE("a default path tells when the run started and is new") {
  const TemporaryFolder folder;
  const auto path = RunDirectory::default_path(folder.path(), "digits");
  CHECK(path.parent_path() == folder.path() / "digits");
  CHECK(std::regex_match(path.filename().string(), std::regex("[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the newest run is the one that started last and has a log, not a fork that was not finished") {
  const TemporaryFolder folder;
  CHECK_FALSE(newest_run(folder.path() / "missing").has_value());
  CHECK_FALSE(newest_run(folder.path()).has_value());
  for (const char* id : {"20250101-000000-aaaa", "20250102-000000-0000", "20250104-000000-0000.tmp-7"}) {
    write_log(folder.path() / id / "events", {run_started_event()});
  }
  std::filesystem::create_directories(folder.path() / "20250103-000000-0000" / "events");
  CHECK(has_run(folder.path() / "20250101-000000-aaaa"));
  CHECK_FALSE(has_run(folder.path() / "20250103-000000-0000"));
  CHECK(newest_run(folder.path()) == folder.path() / "20250102-000000-0000");
}

TEST_CASE("a run has the name of its directory, however that is written") {
  CHECK(run_name("/runs/a") == "a");
  CHECK(run_name("/runs/a/") == "a");
  CHECK(run_name("/runs/b/../a/.") == "a");
  CHECK(plain_path("/runs/a//") == "/runs/a");
}
