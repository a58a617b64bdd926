#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "troupe/runtime/options/mode.h"

namespace troupe {

/// What `threshold` is a part of: the best value, or nothing.
enum class ThresholdMode { kRel, kAbs };

template <>
struct EnumNames<ThresholdMode> {
  static constexpr std::array<std::pair<ThresholdMode, std::string_view>, 2> kNames{
      {{ThresholdMode::kRel, "rel"}, {ThresholdMode::kAbs, "abs"}}};
};

/// Options of torch.optim.lr_scheduler.ReduceLROnPlateau, by its names and with its defaults, and when it looks.
struct PlateauOptions {
  /// Where the metric is looked at: a check.
  enum class Interval {
    kEpoch,      ///< At the end of training epochs, with the latest value, as in Lightning.
    kValidation  ///< At the end of validations, the sanity check not counted.
  };

  int64_t cooldown = 0;   ///< Checks after a reduction at which no bad one is counted.
  double eps = 1e-8;      ///< A reduction by no more than this is not made.
  double factor = 0.1;    ///< What the learning rate is multiplied by.
  int64_t frequency = 1;  ///< Every n-th epoch, or validation, is looked at.
  Interval interval = Interval::kEpoch;
  double min_lr = 0.0;       ///< No group's rate is reduced below this.
  Mode mode = Mode::kMin;    ///< Whether smaller or larger is better.
  std::string monitor = {};  ///< Metric to watch, as logged. Required.
  int64_t patience = 10;     ///< Checks in a row without improvement that are let pass.
  double threshold = 1e-4;   ///< An improvement must exceed this, strictly.
  ThresholdMode threshold_mode = ThresholdMode::kRel;

  void describe(OptionVisitor& visit);
};

template <>
struct EnumNames<PlateauOptions::Interval> {
  static constexpr std::array<std::pair<PlateauOptions::Interval, std::string_view>, 2> kNames{
      {{PlateauOptions::Interval::kEpoch, "epoch"}, {PlateauOptions::Interval::kValidation, "validation"}}};
};

/// Decides when learning rates are to be reduced because a metric has stopped improving, as PyTorch's
/// ReduceLROnPlateau does. It keeps the best value and two counts, and changes no rate itself. A value type.
class Plateau {
 public:
  /// Throws ConfigError for options out of their range.
  explicit Plateau(PlateauOptions options);

  const PlateauOptions& options() const { return options_; }

  /// Takes the metric at a check; whether the rates are to be reduced now. NaN is no improvement.
  bool check(double value);
  /// What a rate is reduced to: max(lr * factor, min_lr), or the same where that is no more than eps less.
  double reduced(double lr) const;

  v1::PlateauState state() const;
  /// Takes up what state() gave. The options stay.
  void load_state(const v1::PlateauState& state);

 private:
  bool improves(double value) const;

  PlateauOptions options_;
  double best_;
  uint64_t bad_checks_ = 0;
  uint64_t cooldown_left_ = 0;
};

}  // namespace troupe
