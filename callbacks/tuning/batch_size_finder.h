#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "troupe/callbacks/tuning/batch_size_search.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

template <>
struct EnumNames<BatchSizeMode> {
  static constexpr std::array<std::pair<BatchSizeMode, std::string_view>, 2> kNames{
      {{BatchSizeMode::kPower, "power"}, {BatchSizeMode::kBinsearch, "binsearch"}}};
};

struct BatchSizeFinderOptions {
  int64_t init_val = 2;                        ///< Samples per batch of the first try.
  double margin = 0.05;                        ///< Share of the size that binsearch leaves unused as a reserve.
  int64_t max_trials = 25;                     ///< Sizes that are tried, at most.
  int64_t max_val = 8192;                      ///< Largest size that is tried.
  BatchSizeMode mode = BatchSizeMode::kPower;  ///< Double only, or bisect after that.
  int64_t steps_per_trial = 3;                 ///< Optimizer steps with each size.
  bool verbose = true;                         ///< Say on standard error what was found.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Looks for the largest batch size that fits into memory, before a fit trains, and commands it. Each size is tried
/// with a few real steps, all of them taken back, also when they run out of memory (is_out_of_memory says what counts
/// as that). Other errors end the run. Where not even one sample fits, what ran out of memory is the run's error.
///
/// The result is the largest size that was tried and fitted: the last one before a failure, `max_val`, or what the
/// data has. With mode binsearch, where memory set the limit, `margin` of it is left as a reserve for what later
/// batches need. It becomes the UserEvent "BatchSizeFound" with `batch_size` and `sizes_tried`, and is the size of
/// batches from the first epoch on. A size depends on the memory of the machine: two runs may find different ones.
///
/// It works at FitStarted of a fit that is to train, but for a fast_dev_run, and so not on a resume, which has the size
/// from its checkpoint. The loader must be able to make batches of another size (DataLoader::another).
class BatchSizeFinder {
 public:
  /// Throws ConfigError for options that make no sense.
  explicit BatchSizeFinder(BatchSizeFinderOptions options = {});

  /// Throws what run_trial and the steps throw, but for an end of memory at a size that is not the last resort, with
  /// everything put back; and ConfigError when `max_trials` are over before any size has fitted.
  void on(const FitStarted& event, Live& live);

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

  /// The size that was found, in this process or before it.
  std::optional<int64_t> batch_size() const { return batch_size_; }

 private:
  /// What came of a search.
  struct Outcome {
    std::optional<int64_t> largest = std::nullopt;  ///< That fitted.
    int64_t tried = 0;
    std::exception_ptr out_of_memory = nullptr;  ///< Of the smallest size that ran out of it.
  };

  Outcome search(Live& live) const;
  void try_size(Live& live, int64_t size, BatchSizeSearch& search, Outcome& outcome) const;
  int64_t usable_size(const Outcome& outcome) const;

  BatchSizeFinderOptions options_;
  std::optional<int64_t> batch_size_;
};

}  // namespace troupe
