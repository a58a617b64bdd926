#pragma once

#include <filesystem>
#include <string>

#include "tests/support/noisy_fit.h"
#include "troupe/actors/trainer.h"

namespace troupe {

/// Options of a fit of NoisyModule that uses what a resumed run has to bring back: accumulation over 3 batches, and
/// validations within the epoch.
inline TrainerOptions noisy_options(const std::filesystem::path& run_dir, int64_t epochs) {
  TrainerOptions options;
  options.max_epochs = epochs;
  options.accumulate_grad_batches = 3;
  options.val_check_interval = 0.4;
  options.log_every_n_steps = 1;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.seed = 3;
  options.run_dir = run_dir.string();
  return options;
}

/// A checkpoint at every event of a type, always in the same file.
template <class E>
void save_at(Trainer& trainer, const std::string& name) {
  trainer.on<E>(name, [path = "checkpoints/" + name + ".ckpt"](const E&, Control& control) {
    v1::SaveCheckpoint save;
    save.set_path(path);
    control.save_checkpoint(save);
  });
}

}  // namespace troupe
