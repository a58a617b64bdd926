#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/fake_run.h"
#include "tests/support/temporary_folder.h"

namespace troupe::testing {

/// A FitStarted after which every so many steps are logged.
inline FitStarted logging_every(uint32_t steps) {
  FitStarted fit = usual_fit();
  fit.set_log_every_n_steps(steps);
  return fit;
}

/// A run of one logger that writes to a file in `folder`.
template <class Logger>
struct LoggerRun {
  LoggerRun(const TemporaryFolder& folder, const std::string& name, RunState state = {})
      : path(folder.path() / name), callback(std::make_shared<Logger>()), run(callback, std::move(state)) {
    callback->set_run_directory(folder.path());
    callback->prepare_files(v1::STAGE_FIT);
  }

  std::string text() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  /// A batch that accumulates: it takes no step.
  void accumulate() {
    TrainBatchEnded ended;
    ended.add_metrics()->set_name("loss");
    run.send(ended);
  }

  std::filesystem::path path;
  std::shared_ptr<Logger> callback;
  FakeRun run;
};

}  // namespace troupe::testing
