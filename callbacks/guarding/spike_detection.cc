#include "troupe/callbacks/guarding/spike_detection.h"

#include <algorithm>
#include <cmath>

#include "troupe/callbacks/common/monitor.h"
#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/file/file.h"

namespace troupe {
namespace {

constexpr char kSpikeEvent[] = "SpikeDetected";

/// What this batch itself logged.
std::optional<double> value_in(const TrainBatchEnded& event, const std::string& name) {
  const auto& metrics = event.metrics();
  const auto found = std::find_if(metrics.begin(), metrics.end(), [&](const auto& m) { return m.name() == name; });
  return found == metrics.end() ? std::nullopt : std::optional(found->value());
}

void save_batch(StateDict& state, const std::optional<BadBatch>& batch) {
  BadBatches one;
  if (batch) {
    one.add(*batch);
  }
  state.set("last_batch", one.to_json());
}

std::optional<BadBatch> load_batch(const StateDict& state) {
  const BadBatches one = BadBatches::from_json(state.get_string("last_batch"));
  return one.all().empty() ? std::nullopt : std::optional(one.all().front());
}

}  // namespace

void SpikeDetectionOptions::describe(OptionVisitor& visit) {
  visit("action", action, "What a spike brings on: an event and the file alone, or also a vote to stop.");
  visit("atol", atol, "A spike is at least this far from the statistic; none: any distance.").at_least(0);
  visit("exclude_batches_path", exclude_batches_path,
        "JSON file of the bad batches, relative to the run directory; empty: none.");
  visit("finite_only", finite_only, "NaN and infinities are spikes; false: they are passed over.");
  visit("mode", mode, "Whether smaller or larger is better.");
  visit("monitor", monitor, "Metric to watch, logged with on_step.").required();
  visit("rtol", rtol, "With the mean: a spike is at least so many times the mean away; none: any distance.")
      .at_least(0);
  visit("statistic", statistic, "What a value is compared with.");
  visit("threshold", threshold, "With the median: a spike is at least so many median absolute deviations away.")
      .greater_than(0);
  visit("warmup", warmup, "Values of the metric before the first that may be a spike.").at_least(0);
  visit("window", window, "Values that the statistic is of.").at_least(1).at_most(10'000);
}

void SpikeDetectionOptions::validate() const {
  if (statistic == SpikeStatistic::kMean && !atol && !rtol) {
    throw ConfigError(
        "'atol' and 'rtol' are both none, so every value that is worse than the mean would be a spike: give one of "
        "them");
  }
}

SpikeDetection::SpikeDetection(SpikeDetectionOptions options)
    : options_(std::move(options)), window_(static_cast<size_t>(std::max<int64_t>(options_.window, 0))) {
  check_options("SpikeDetection", options_);
}

void SpikeDetection::prepare_files(Stage stage) {
  if (stage == v1::STAGE_FIT && !options_.exclude_batches_path.empty()) {
    require_writable_folder(std::filesystem::absolute(file_path()).parent_path());
  }
}

void SpikeDetection::on(const TrainBatchEnded& event, Control& control) {
  const RunState& run = control.run();
  if (run.fit().fast_dev_run()) {
    return;
  }
  const BadBatch batch{.epoch = run.epoch(),
                       .batch_index = run.position().batch_index(),
                       .step = run.global_step(),
                       .value = value_in(event, options_.monitor)};
  if (batch.value) {
    if (is_spike(*batch.value)) {
      report(batch, control);
    } else {
      take_good_value(*batch.value);
    }
  }
  last_batch_ = batch;
}

bool SpikeDetection::is_spike(double value) {
  if (values_seen_++ < options_.warmup) {
    return false;
  }
  return std::isfinite(value) ? is_far(value) : options_.finite_only;
}

bool SpikeDetection::is_far(double value) const {
  const double center = window_.empty() ? value : window_.center(options_.statistic);
  if (!better(options_.mode, center, value) || !better(options_.mode, window_.last().value_or(value), value)) {
    return false;
  }
  const double distance = std::fabs(value - center);
  if (distance < options_.atol.value_or(0)) {
    return false;
  }
  if (options_.statistic == SpikeStatistic::kMean) {
    return distance >= options_.rtol.value_or(0) * std::fabs(center);
  }
  const double deviation = window_.median_absolute_deviation();
  return deviation > 0 ? distance >= options_.threshold * deviation : options_.atol.has_value();
}

void SpikeDetection::take_good_value(double value) {
  if (std::isfinite(value)) {
    window_.add(value);
    spikes_in_a_row_ = 0;
  }
}

void SpikeDetection::report(const BadBatch& batch, Control& control) {
  const double value = *batch.value;
  EventValues values{{"batch_index", int64_t{batch.batch_index}},
                     {"epoch", int64_t{batch.epoch}},
                     {"monitor", options_.monitor},
                     {"step", static_cast<int64_t>(batch.step)},
                     {"value", value}};
  reason_ = options_.monitor + " = " + shortest_text(value) + " in batch " + std::to_string(batch.batch_index) +
            " of epoch " + std::to_string(batch.epoch) + " is a spike";
  if (!window_.empty()) {
    const double center = window_.center(options_.statistic);
    values["center"] = center;
    reason_ += ": the " + std::string(enum_name(options_.statistic)) + " of the last " +
               std::to_string(window_.values().size()) + " good values is " + shortest_text(center);
  }
  control.emit(make_user_event(kSpikeEvent, values));
  if (last_batch_) {
    bad_batches_.add(*last_batch_);
  }
  bad_batches_.add(batch);
  write_file();
  if (options_.action == SpikeAction::kStop) {
    control.stop(reason_);
  }
  if (++spikes_in_a_row_ >= options_.window && std::isfinite(value)) {  // A new level.
    window_.clear();
    take_good_value(value);
  }
}

void SpikeDetection::on(const TrainEpochEnded&, Control& control) {
  if (last_batch_ && values_seen_ == 0) {
    throw ConfigError(missing_metric("SpikeDetection", options_.monitor, control.run()) +
                      "; it must be logged at every step, with on_step");
  }
}

void SpikeDetection::on(const RunResumed&, Control& control) {
  if (!reason_.empty() && options_.action == SpikeAction::kStop) {
    control.stop(reason_);
  }
}

void SpikeDetection::write_file() const {
  if (!options_.exclude_batches_path.empty()) {
    write_file_atomically(std::filesystem::absolute(file_path()), bad_batches_.to_json());
  }
}

StateDict SpikeDetection::state_dict() const {
  StateDict state;
  state.set("window", window_.values());
  state.set("values_seen", values_seen_);
  state.set("spikes_in_a_row", spikes_in_a_row_);
  state.set("bad_batches", bad_batches_.to_json());
  save_batch(state, last_batch_);
  state.set("reason", reason_);
  return state;
}

void SpikeDetection::load_state_dict(const StateDict& state) {
  window_.set_values(state.get_doubles("window"));
  values_seen_ = state.get_int("values_seen");
  spikes_in_a_row_ = state.get_int("spikes_in_a_row");
  bad_batches_ = BadBatches::from_json(state.get_string("bad_batches"));
  last_batch_ = load_batch(state);
  reason_ = state.get_string("reason");
  if (!bad_batches_.all().empty() || std::filesystem::exists(file_path())) {
    write_file();
  }
}

std::string SpikeDetection::state_key() const {
  return "SpikeDetection{'monitor': " + python_repr(options_.monitor) +
         ", 'mode': " + python_repr(mode_name(options_.mode)) + "}";
}

}  // namespace troupe
