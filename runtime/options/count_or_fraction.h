#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// An amount of something whose total is known later: a count (10), or a fraction of the total (0.5). The two stay
/// apart: the count 1 is one, the fraction 1.0 is all. Implicit from both, so that an options aggregate can say
/// `.limit_val_batches = 10`.
class CountOrFraction {
 public:
  CountOrFraction() = default;                               ///< The fraction 1.0: all.
  CountOrFraction(int count) : count_(count) {}              // NOLINT(google-explicit-constructor)
  CountOrFraction(int64_t count) : count_(count) {}          // NOLINT(google-explicit-constructor)
  CountOrFraction(double fraction) : fraction_(fraction) {}  // NOLINT(google-explicit-constructor)
  /// Reads "10" as a count and "0.5", "1.0" or "1e-1" as a fraction; nothing if the text is neither. Does not check the
  /// range.
  static std::optional<CountOrFraction> parse(std::string_view text);

  bool is_count() const { return count_.has_value(); }
  /// Only for a count.
  int64_t count() const { return count_.value(); }
  /// Only for a fraction.
  double fraction() const { return fraction_; }
  /// A count is at least 0, a fraction from 0.0 to 1.0.
  bool valid() const { return count_ ? *count_ >= 0 : fraction_ >= 0.0 && fraction_ <= 1.0; }
  /// As one number, to compare with a bound.
  double value() const { return count_ ? static_cast<double>(*count_) : fraction_; }

  /// How many of `total` that is: a count at most total, a fraction rounded down.
  int64_t of(int64_t total) const;
  /// As it was written: "10", "0.5", "1.0".
  std::string to_string() const;

  friend bool operator==(const CountOrFraction&, const CountOrFraction&) = default;

 private:
  std::optional<int64_t> count_;
  double fraction_ = 1.0;
};

}  // namespace troupe
