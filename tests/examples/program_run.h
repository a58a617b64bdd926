#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/places.h"
#include "tests/support/run_shell.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/log/event_log_reader.h"

namespace troupe {

/// Where the build has put a program of examples/callbacks.
inline std::string program_path(const std::string& program) {
  return testing::program(program);
}

/// One run of a program of examples/callbacks, to its end, in a folder of its own.
class ProgramRun {
 public:
  explicit ProgramRun(const std::string& program) : run_dir_(folder_.path() / "run") {
    const auto result = run_shell(program_path(program) + " --run-dir " + run_dir_.string());
    CAPTURE(result.output);
    REQUIRE(result.status == 0);
    std::istringstream text(result.output);
    for (std::string line; std::getline(text, line);) {
      lines_.push_back(line);
    }
    Event event;
    for (EventLogReader log(run_dir_ / "events"); log.next(event);) {
      events_.push_back(event);
    }
  }

  const std::filesystem::path& run_dir() const { return run_dir_; }
  /// The lines that the program printed, those alone that start so, without that start.
  std::vector<std::string> printed(const std::string& start) const {
    std::vector<std::string> rest;
    for (const auto& line : lines_) {
      if (line.starts_with(start)) {
        rest.push_back(line.substr(start.size()));
      }
    }
    return rest;
  }
  std::vector<Event> events(EventType type) const {
    std::vector<Event> chosen;
    std::copy_if(events_.begin(), events_.end(), std::back_inserter(chosen),
                 [type](const auto& event) { return event.body_case() == type; });
    return chosen;
  }
  /// Of the validations of the training, the sanity check left out.
  std::vector<double> validation_metric(const std::string& name) const {
    std::vector<double> values;
    for (const auto& event : events(Event::kValidationEnded)) {
      for (const auto& metric : event.validation_ended().metrics()) {
        if (metric.name() == name && event.position().stage() == v1::STAGE_VALIDATE) {
          values.push_back(metric.value());
        }
      }
    }
    return values;
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path run_dir_;
  std::vector<std::string> lines_;
  std::vector<Event> events_;
};

}  // namespace troupe
