#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "troupe/runtime/options/count_or_fraction.h"

namespace troupe {

/// How often a fit validates: after so many batches (100), after a fraction of an epoch (0.5), or when so much time has
/// passed since the last validation ("00:00:15:00", as in duration.h). Implicit from all three, so that an options
/// aggregate can say `.val_check_interval = "00:00:15:00"`.
class ValidationInterval {
 public:
  ValidationInterval() = default;                                     ///< The fraction 1.0: at the end of the epoch.
  ValidationInterval(int count) : batches_(count) {}                  // NOLINT(google-explicit-constructor)
  ValidationInterval(int64_t count) : batches_(count) {}              // NOLINT(google-explicit-constructor)
  ValidationInterval(double fraction) : batches_(fraction) {}         // NOLINT(google-explicit-constructor)
  ValidationInterval(CountOrFraction batches) : batches_(batches) {}  // NOLINT(google-explicit-constructor)
  /// Throws ConfigError unless the text is a duration.
  ValidationInterval(const char* duration);  // NOLINT(google-explicit-constructor)
  /// Reads a duration, or else what CountOrFraction reads; nothing if the text is neither. Does not check the range.
  static std::optional<ValidationInterval> parse(std::string_view text);

  bool is_duration() const { return seconds_.has_value(); }
  /// Only for a duration.
  int64_t seconds() const { return seconds_.value(); }
  /// Only for a count or a fraction.
  const CountOrFraction& batches() const { return batches_; }
  bool is_count() const { return !is_duration() && batches_.is_count(); }
  int64_t count() const { return batches_.count(); }
  bool is_fraction() const { return !is_duration() && !batches_.is_count(); }
  double fraction() const { return batches_.fraction(); }

  /// A count or fraction as CountOrFraction has it, any duration.
  bool valid() const { return is_duration() || batches_.valid(); }
  /// As one number, to compare with a bound: seconds of a duration.
  double value() const { return seconds_ ? static_cast<double>(*seconds_) : batches_.value(); }
  /// As it was written: "10", "0.5", "00:00:15:00".
  std::string to_string() const;

  friend bool operator==(const ValidationInterval&, const ValidationInterval&) = default;

 private:
  std::optional<int64_t> seconds_;
  CountOrFraction batches_;
};

}  // namespace troupe
