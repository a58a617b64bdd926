#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "troupe/deploy/commands.h"
#include "troupe/deploy/event_text.h"
#include "troupe/deploy/replay_report.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/replay/log_diff.h"

namespace troupe {
namespace {

using nlohmann::json;

std::string side_of(const std::string& value) {
  return value.empty() ? "none" : one_line(value);
}

void print_values(const std::string& start, const std::vector<LogValueDifference>& differences) {
  for (const auto& difference : differences) {
    std::cout << start << one_line(difference.name) << ": " << side_of(difference.a) << " | " << side_of(difference.b);
    if (difference.by) {
      std::cout << ", by " << shortest_text(*difference.by);
    }
    std::cout << '\n';
  }
}

std::string event_side(const std::optional<Event>& event) {
  return event ? "seq " + std::to_string(event->seq()) + ", " + to_text(event->position()) + ", " +
                     event_info(event->body_case()).name
               : "no other event";
}

void print_first(const LogParting& first) {
  std::cout << "the runs part after " << first.index << " equal events\n  A: " << event_side(first.a)
            << "\n  B: " << event_side(first.b) << '\n';
  print_values("  ", first.fields);
}

void print_summary(const char* name, const LogSummary& summary) {
  std::cout << name << ": " << summary.events << " events, " << summary.counted << " of them compared, "
            << summary.epochs << " epochs, " << summary.steps << " steps, " << summary.decisions << " decisions; "
            << one_line(summary.end) << '\n';
}

json values_json(const std::vector<LogValueDifference>& differences) {
  json list = json::array();
  for (const auto& difference : differences) {
    list.push_back({{"name", difference.name},
                    {"a", difference.a.empty() ? json() : json(difference.a)},
                    {"b", difference.b.empty() ? json() : json(difference.b)},
                    {"by", difference.by ? json(*difference.by) : json()}});
  }
  return list;
}

json event_json(const std::optional<Event>& event) {
  return event ? json{{"seq", event->seq()},
                      {"position", position_json(event->position())},
                      {"type", event_info(event->body_case()).name}}
               : json();
}

json summary_json(const LogSummary& summary) {
  return {{"events", summary.events}, {"compared", summary.counted},    {"epochs", summary.epochs},
          {"steps", summary.steps},   {"decisions", summary.decisions}, {"end", summary.end}};
}

json diff_json(const LogDiff& diff) {
  json first;
  if (diff.first) {
    first = {{"equal_events", diff.first->index},
             {"a", event_json(diff.first->a)},
             {"b", event_json(diff.first->b)},
             {"fields", values_json(diff.first->fields)}};
  }
  return {{"equal", diff.equal()},
          {"configuration", values_json(diff.configuration)},
          {"environment", values_json(diff.environment)},
          {"first_difference", first},
          {"metrics", values_json(diff.metrics)},
          {"a", summary_json(diff.a)},
          {"b", summary_json(diff.b)}};
}

void print_diff(const LogDiff& diff) {
  print_values("configuration ", diff.configuration);
  print_values("environment ", diff.environment);
  if (diff.first) {
    print_first(*diff.first);
  }
  print_values("metric ", diff.metrics);
  print_summary("A", diff.a);
  print_summary("B", diff.b);
  std::cout << (diff.equal() ? "equal\n" : "different\n");
}

int run_log_diff(const std::string& a, const std::string& b, bool as_json) {
  const LogDiff diff = diff_logs(find_run(a).events(), find_run(b).events());
  if (as_json) {
    std::cout << diff_json(diff).dump() << '\n';
  } else {
    print_diff(diff);
  }
  return diff.equal() ? 0 : 1;
}

}  // namespace

void add_log_diff_command(CLI::App& log, Action& action) {
  auto* command = log.add_subcommand("diff", "Find the first event in which two runs part");
  auto a = std::make_shared<std::string>();
  auto b = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  command->add_option("A", *a, "Run directory")->required();
  command->add_option("B", *b, "Run directory")->required();
  command->add_flag("--json", *as_json, "Print one JSON object");
  command->footer(
      "Compares configuration, environment and every event that equal runs share, metrics to the last bit; what A has\n"
      "stands first. Not compared: times, places, hosts, and events about speed or the attempt. Exit status: 0 equal,\n"
      "1 different or damaged.\n"
      "Example:\n  troupe log diff runs/first runs/second");
  command->callback([=, &action] { action = [=] { return run_log_diff(*a, *b, *as_json); }; });
}

}  // namespace troupe
