#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "troupe/callbacks/tuning/lr_curve.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/schedule/lr_sweep.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

template <>
struct EnumNames<LrSpacing> {
  static constexpr std::array<std::pair<LrSpacing, std::string_view>, 2> kNames{
      {{LrSpacing::kExponential, "exponential"}, {LrSpacing::kLinear, "linear"}}};
};

struct LearningRateFinderOptions {
  bool apply = true;                ///< Train with the rate that is suggested; else only tell it.
  std::string curve = "lr_finder";  ///< Name of the curve's files, see LearningRateFinder; empty: none.
  std::optional<double> early_stop_threshold = 4.0;  ///< See lr_sweep_diverged; unset: only when it is not finite.
  double max_lr = 1.0;                               ///< Of the last step.
  double min_lr = 1e-8;                              ///< Of the first step.
  LrSpacing mode = LrSpacing::kExponential;          ///< How the rates between them are spaced.
  int64_t num_training_steps = 100;                  ///< Optimizer steps of the sweep.
  bool verbose = true;                               ///< Say on standard error what was found.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Looks for a learning rate before a fit trains: a sweep of real steps from `min_lr` to `max_lr`, all of them taken
/// back, and then the rate at which the smoothed loss fell fastest (runtime/schedule/lr_sweep.h has the rules). With
/// `apply` it commands that rate for every parameter group; schedules scale from there. Without a suggestion, because
/// the loss fell nowhere, the rates stay as they are, and standard error says so.
///
/// It works at FitStarted of a fit that is to train, but for a fast_dev_run, and so not on a resume, which has the rate
/// from its checkpoint. Its result is the UserEvent "LearningRateFound" with `lr` (left out without a suggestion),
/// `rates_tried` and `applied`, and the files `<curve>.csv` and `<curve>.svg`: relative to the run directory, or
/// absolute. The batches are those of the first epoch, in the size that the loader has when the fit starts.
class LearningRateFinder {
 public:
  /// Throws ConfigError for options that make no sense.
  explicit LearningRateFinder(LearningRateFinderOptions options = {});

  /// Where relative paths start. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }
  /// Before a fit: makes the folder of the curve. Throws IoError when nothing can be written there.
  void prepare_files(Stage stage) const;

  /// Throws what run_trial and the steps throw, with everything put back, and IoError.
  void on(const FitStarted& event, Live& live);

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

  /// The rate that was suggested, in this process or before it; none before the sweep, and where there is none.
  std::optional<double> suggestion() const { return suggestion_; }
  /// What the sweep has seen in this process.
  const LrCurve& curve() const { return curve_; }

 private:
  LrSweepOptions sweep_options() const;
  LrCurve sweep(Live& live) const;
  void write_curve() const;
  void report(Control& control) const;

  LearningRateFinderOptions options_;
  std::filesystem::path run_directory_;
  LrCurve curve_;
  std::optional<double> suggestion_;
};

}  // namespace troupe
