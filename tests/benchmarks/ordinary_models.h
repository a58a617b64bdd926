#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// How a model is trained in one row of the benchmark.
enum class ModelRow {
  kBare,             ///< The loop that people write, with the C library's allocator as it is.
  kBareTuned,        ///< The same with tune_allocator().
  kTrainer,          ///< Under the Trainer: event log written, loss logged at every step.
  kTrainerUntuned,   ///< The same with tune_allocator = false.
  kUsualSet,         ///< With ModelCheckpoint, EarlyStopping, LearningRateMonitor and CSVLogger.
  kUsualSetWorkers,  ///< The same, and batches from two workers.
};

/// The rows of a model, and what the program is told them by: "bare", "bare_tuned", ...
std::vector<std::pair<std::string, ModelRow>> model_rows(const std::string& model);
/// "mlp", "cnn", "transformer", and "changing", which shows what memory comes to when sizes change.
std::vector<std::string> model_names();
/// One line about a model: sizes, batch, optimizer.
std::string model_description(const std::string& model);

/// What one run of a row came to.
struct ModelTiming {
  double us_per_step = 0;
  int64_t steps = 0;
  int64_t page_faults = 0;  ///< Minor ones, of the whole process, while it trained.
  double rss_mb = 0;        ///< Most memory that the process had.
};

/// Trains a model in this process, which ought to do nothing else before: the allocator's settings stay. Throws
/// ConfigError for a model that is none.
ModelTiming time_model(const std::string& model, ModelRow row);

}  // namespace troupe
