#include "troupe/runtime/replay/log_diff.h"

#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "troupe/runtime/event/message_fields.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/log/event_history.h"

namespace troupe {
namespace {

using Fields = std::map<std::string, std::string>;

/// An event of a run without what tells when, and in which process, it happened; nothing for one that does not count.
std::optional<Event> comparable(const Event& event) {
  const bool interruption = event.input_recorded().has_signal() || event.checkpoint_taken().from() == "interrupt";
  if (interruption || event_info(event.body_case()).environmental) {
    return std::nullopt;
  }
  Event plain = event;
  plain.clear_seq();
  plain.clear_elapsed_us();
  if (plain.has_command_applied()) {
    plain.mutable_command_applied()->clear_cause_seq();
  }
  if (plain.has_command_refused()) {
    plain.mutable_command_refused()->clear_cause_seq();
  }
  if (plain.input_recorded().has_clock()) {
    plain.mutable_input_recorded()->mutable_clock()->clear_elapsed_us();
  }
  return plain;
}

/// Walks one of the two runs.
class ComparedRun {
 public:
  explicit ComparedRun(const std::filesystem::path& events_dir) : history_(events_dir) {}

  /// The next event that counts, as it is in the log; nothing at the end.
  std::optional<Event> next(Event& plain) {
    for (Event event; history_.next(event);) {
      state_.apply(event);
      ++summary_.events;
      summary_.decisions += event.has_command_applied() ? 1 : 0;
      ended_ = event.has_run_ended();
      if (event.has_run_started()) {
        started_ = event.run_started();
      }
      if (auto counted = comparable(event)) {
        ++summary_.counted;
        plain = std::move(*counted);
        return event;
      }
    }
    return std::nullopt;
  }

  LogSummary summary() const {
    LogSummary summary = summary_;
    summary.epochs = state_.epochs_completed();
    summary.steps = state_.global_step();
    summary.end = ended_ ? v1::RunStatus_Name(state_.status()) + ": " + state_.reason() : "not ended";
    return summary;
  }
  const RunStarted& started() const { return started_; }
  const RunState& state() const { return state_; }

 private:
  EventHistory history_;
  RunState state_;
  RunStarted started_;
  LogSummary summary_;
  bool ended_ = false;
};

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                                   : std::nullopt;
}

std::vector<LogValueDifference> field_differences(const Fields& a, const Fields& b) {
  std::set<std::string> names;
  for (const auto* fields : {&a, &b}) {
    for (const auto& [name, value] : *fields) {
      names.insert(name);
    }
  }
  std::vector<LogValueDifference> differences;
  for (const auto& name : names) {
    const auto left = a.find(name);
    const auto right = b.find(name);
    LogValueDifference difference{name, left == a.end() ? "" : left->second, right == b.end() ? "" : right->second, {}};
    if (difference.a == difference.b) {
      continue;
    }
    const auto x = number_of(difference.a);
    const auto y = number_of(difference.b);
    if (x && y) {
      difference.by = std::fabs(*x - *y);
    }
    differences.push_back(std::move(difference));
  }
  return differences;
}

/// "trainer.max_epochs" to its value, lists as a whole.
void flatten(const nlohmann::json& json, const std::string& name, Fields& fields) {
  if (!json.is_object()) {
    fields[name] = json.dump();
    return;
  }
  for (const auto& [key, value] : json.items()) {
    std::string inner = name;
    inner += name.empty() ? "" : ".";
    inner += key;
    flatten(value, inner, fields);
  }
}

Fields configuration_of(const RunStarted& started) {
  Fields fields;
  flatten(nlohmann::json::parse(started.config_json(), nullptr, /*allow_exceptions=*/false), "", fields);
  for (const char* place : {"trainer.run_dir", "trainer.default_root_dir", "trainer.name", "trainer.seed"}) {
    fields.erase(place);
  }
  return fields;
}

Fields environment_of(const RunStarted& started) {
  Fields fields = message_fields(started.environment(), "");
  fields.erase("host");
  fields["seed"] = std::to_string(started.seed());
  return fields;
}

Fields metrics_of(const RunState& state) {
  v1::RunState only_metrics;
  *only_metrics.mutable_metrics() = state.to_proto().metrics();
  Fields all = message_fields(only_metrics, "");
  Fields values;
  for (const auto& [name, value] : all) {
    constexpr std::string_view kStart = "metrics[";
    constexpr std::string_view kEnd = "].value";
    if (name.starts_with(kStart) && name.ends_with(kEnd)) {
      values[name.substr(kStart.size(), name.size() - kStart.size() - kEnd.size())] = value;
    }
  }
  return values;
}

LogParting parting_of(uint64_t index, std::optional<Event> a, std::optional<Event> b, const Event& plain_a,
                      const Event& plain_b) {
  LogParting parting{index, std::move(a), std::move(b), {}};
  if (parting.a && parting.b && plain_a.body_case() == plain_b.body_case()) {
    parting.fields = field_differences(message_fields(plain_a, ""), message_fields(plain_b, ""));
  }
  return parting;
}

}  // namespace

LogDiff diff_logs(const std::filesystem::path& events_a, const std::filesystem::path& events_b) {
  ComparedRun a(events_a);
  ComparedRun b(events_b);
  LogDiff diff;
  Event plain_a;
  Event plain_b;
  uint64_t equal = 0;
  auto next_a = a.next(plain_a);
  auto next_b = b.next(plain_b);
  for (; next_a || next_b; next_a = a.next(plain_a), next_b = b.next(plain_b)) {  // To the ends, for the summary.
    if (diff.first) {
      continue;
    }
    if (!next_a || !next_b || plain_a.SerializeAsString() != plain_b.SerializeAsString()) {
      diff.first = parting_of(equal, std::move(next_a), std::move(next_b), plain_a, plain_b);
    }
    ++equal;
  }
  diff.configuration = field_differences(configuration_of(a.started()), configuration_of(b.started()));
  diff.environment = field_differences(environment_of(a.started()), environment_of(b.started()));
  diff.metrics = field_differences(metrics_of(a.state()), metrics_of(b.state()));
  diff.a = a.summary();
  diff.b = b.summary();
  return diff;
}

}  // namespace troupe
