#pragma once

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "tests/support/noisy_trainer.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// Fits of a NoisyModule with callbacks under test, each once unbroken and again stopped by SIGTERM and resumed, which
/// must end with the same bits: module, checkpoint, callback states, events.
template <class M = NoisyModule>
class BrokenOffFit {
 public:
  static constexpr int64_t kEpochs = 3;
  /// Steps of the module in an unbroken run: two validations an epoch, and a sanity check of two batches.
  static constexpr int64_t kModuleSteps = kEpochs * (kNoisyTrainBatches + 2 * kNoisyValidationBatches) + 2;

  /// `prepare` adds the callbacks under test.
  explicit BrokenOffFit(std::function<void(Trainer&)> prepare) : prepare_(std::move(prepare)) {
    unbroken_ = fit(0, {}).items;
  }

  /// Requires that a run that is stopped in this step of the module, counted from 1 over all stages, and resumed ends
  /// as the unbroken one. Whether it was stopped in a validation.
  bool check_stop(int64_t step) {
    CAPTURE(step);
    const Fit stopped = fit(step, {});
    CHECK(stopped.result.status == v1::RUN_STATUS_INTERRUPTED);
    const Fit resumed = fit(0, "last");
    CHECK(resumed.result.status == v1::RUN_STATUS_FINISHED);
    CHECK(differences(unbroken_, resumed.items) == std::set<std::string>{});
    return stopped.stopped_in_validation;
  }

  /// All of an unbroken run's items, by name.
  const Fingerprint& unbroken() const { return unbroken_; }

 private:
  struct Fit {
    RunResult result;
    Fingerprint items;  // When it has finished.
    bool stopped_in_validation = false;
  };

  Fit fit(int64_t stop_at, const std::string& resume) {
    if (resume.empty()) {
      folder_.emplace();
    }
    const auto run_dir = folder_->path() / "run";
    torch::manual_seed(resume.empty() ? 11 : 99);
    M module(kEpochs * kNoisyTrainBatches / 3);
    torch::manual_seed(resume.empty() ? 11 : 98);
    NoisyData data(/*restores=*/!resume.empty());
    Trainer trainer(noisy_options(run_dir, kEpochs));
    prepare_(trainer);
    save_at<TrainEpochEnded>(trainer, "epoch");
    save_at<TrainEnded>(trainer, "final");
    Fit fit;
    int64_t steps = 0;
    const auto step = [&] { return ++steps == stop_at && std::raise(SIGTERM) == 0; };
    module.on_training_step = [&](int64_t /*batch_index*/) { step(); };
    module.on_validation_step = [&] { fit.stopped_in_validation = step() || fit.stopped_in_validation; };
    fit.result = trainer.fit(module, data, resume);
    if (fit.result.status == v1::RUN_STATUS_FINISHED) {
      fit.items = checkpoint_items(run_dir / "checkpoints" / "final.ckpt");
      fit.items["run_state"] = fit.result.state.deterministic_bytes();
      fit.items["events"] = shared_events(run_dir);
      for (const auto& named : named_state(module)) {
        fit.items["live " + named.name] =
            std::string(static_cast<const char*>(named.tensor.data_ptr()), named.tensor.nbytes());
      }
    }
    return fit;
  }

  std::function<void(Trainer&)> prepare_;
  std::optional<TemporaryFolder> folder_;
  Fingerprint unbroken_;
};

}  // namespace troupe
