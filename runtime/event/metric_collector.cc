#include "troupe/runtime/event/metric_collector.h"

#include <algorithm>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"

namespace troupe {
namespace {

void add(google::protobuf::RepeatedPtrField<v1::Metric>* metrics, std::string name, double value, bool prog_bar) {
  auto* metric = metrics->Add();
  metric->set_name(std::move(name));
  metric->set_value(value);
  metric->set_prog_bar(prog_bar);
}

/// A metric that is logged per step and per epoch appears under its own name and under its forked one.
void add_forked(google::protobuf::RepeatedPtrField<v1::Metric>* metrics, const std::string& name, const char* suffix,
                double value, MetricCollector::How how) {
  add(metrics, name, value, how.prog_bar);
  if (how.on_step && how.on_epoch) {
    std::string forked = name;
    forked.insert(std::min(name.rfind(kDataloaderSuffix), name.size()), suffix);
    add(metrics, std::move(forked), value, false);
  }
}

void sort_by_name(google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  if (metrics->size() > 1) {
    std::sort(metrics->pointer_begin(), metrics->pointer_end(),
              [](const v1::Metric* a, const v1::Metric* b) { return a->name() < b->name(); });
  }
}

}  // namespace

MetricCollector::Entry& MetricCollector::entry(std::string_view name, How how) {
  auto place = std::lower_bound(entries_.begin(), entries_.end(), name,
                                [](const Entry& entry, std::string_view key) { return entry.name < key; });
  if (place == entries_.end() || place->name != name) {
    if (!is_utf8(name)) {  // Here once for each name: no event of this metric needs to be looked through.
      throw ConfigError("log('" + printable(name) + "'): the name of a metric must be UTF-8");
    }
    place = entries_.insert(place, Entry{std::string(name), how});
  }
  return *place;
}

void MetricCollector::log(std::string_view name, double value, How how, double weight) {
  Entry& target = entry(name, how);
  if (target.how.on_step != how.on_step || target.how.on_epoch != how.on_epoch) {
    throw ConfigError("log('" + std::string(name) + "'): on_step and on_epoch must not change within an epoch");
  }
  target.how.prog_bar = how.prog_bar;
  if (how.on_step) {
    target.step_value = value;
    target.logged_this_step = true;
    step_pending_ = true;
  }
  if (how.on_epoch) {
    target.weighted_sum += value * weight;
    target.weight += weight;
  }
}

void MetricCollector::take_step(google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  if (!step_pending_) {
    return;
  }
  for (auto& entry : entries_) {
    if (entry.logged_this_step) {
      add_forked(metrics, entry.name, "_step", entry.step_value, entry.how);
      entry.logged_this_step = false;
    }
  }
  sort_by_name(metrics);
  step_pending_ = false;
}

void MetricCollector::take_epoch(google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  for (const auto& entry : entries_) {
    if (entry.how.on_epoch && entry.weight > 0) {
      add_forked(metrics, entry.name, "_epoch", entry.weighted_sum / entry.weight, entry.how);
    }
  }
  sort_by_name(metrics);
  reset();
}

void MetricCollector::reset() {
  entries_.clear();
  step_pending_ = false;
}

void MetricCollector::save(google::protobuf::RepeatedPtrField<v1::MetricAccumulator>* accumulators) const {
  for (const auto& entry : entries_) {
    if (entry.how.on_epoch) {
      auto* saved = accumulators->Add();
      saved->set_name(entry.name);
      saved->set_weighted_sum(entry.weighted_sum);
      saved->set_weight(entry.weight);
      saved->set_prog_bar(entry.how.prog_bar);
      saved->set_on_step(entry.how.on_step);
    }
  }
}

void MetricCollector::load(const google::protobuf::RepeatedPtrField<v1::MetricAccumulator>& accumulators) {
  reset();
  for (const auto& saved : accumulators) {
    Entry& target = entry(saved.name(), {saved.on_step(), true, saved.prog_bar()});
    target.weighted_sum = saved.weighted_sum();
    target.weight = saved.weight();
  }
}

}  // namespace troupe
