#pragma once

#include <troupe/v1/checkpoint.pb.h>
#include <troupe/v1/event.pb.h>

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Ends the name of a metric that is logged for each of several loaders, before the loader's index.
inline constexpr char kDataloaderSuffix[] = "/dataloader_idx_";

/// What a module logs in one stage: values of the present step, and running means over the epoch, weighted by samples.
/// A name that is logged both ways is forked as in Lightning: `loss`, `loss_step` and `loss_epoch`, before the loader's
/// suffix if there is one. Used from the loop's thread only.
class MetricCollector {
 public:
  struct How {
    bool on_step = false;
    bool on_epoch = false;
    bool prog_bar = false;
  };

  /// Takes one value; `weight` is the samples that it is the mean of. Logging a name twice in a step replaces the
  /// step's value and adds to the mean. Throws ConfigError when a name is not UTF-8,
  /// or changes how it is logged within an epoch.
  void log(std::string_view name, double value, How how, double weight);

  /// Moves the values of this step to `metrics`, sorted by name.
  void take_step(google::protobuf::RepeatedPtrField<v1::Metric>* metrics);
  /// Adds the means since the last reset to `metrics`, sorted by name, and starts afresh.
  void take_epoch(google::protobuf::RepeatedPtrField<v1::Metric>* metrics);
  /// Forgets everything.
  void reset();

  /// The running means, for a checkpoint in the middle of an epoch.
  void save(google::protobuf::RepeatedPtrField<v1::MetricAccumulator>* accumulators) const;
  void load(const google::protobuf::RepeatedPtrField<v1::MetricAccumulator>& accumulators);

 private:
  struct Entry {
    std::string name;
    How how;
    bool logged_this_step = false;
    double step_value = 0;
    double weighted_sum = 0;
    double weight = 0;
  };

  Entry& entry(std::string_view name, How how);

  std::vector<Entry> entries_;  // Sorted by name.
  bool step_pending_ = false;
};

}  // namespace troupe
