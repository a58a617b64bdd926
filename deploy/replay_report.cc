#include "troupe/deploy/replay_report.h"

#include <nlohmann/json.hpp>
#include <string>

#include "troupe/deploy/event_text.h"
#include "troupe/runtime/replay/decision_text.h"

namespace troupe {
namespace {

using nlohmann::json;

std::string place_text(uint64_t seq, const Position& position) {
  return "seq " + std::to_string(seq) + ", " + to_text(position);
}

std::string epoch_and_step(const Position& position) {
  return "epoch " + std::to_string(position.epoch()) + ", step " + std::to_string(position.global_step());
}

void print_not_replayable(std::ostream& out, const std::vector<NotReplayable>& others) {
  for (const auto& other : others) {
    out << "not replayed: " << other.state_key << ": " << other.why << '\n';
  }
}

json others_json(const std::vector<NotReplayable>& others) {
  json list = json::array();
  for (const auto& other : others) {
    list.push_back({{"state_key", other.state_key}, {"why", other.why}});
  }
  return list;
}

std::string said_of(const WhatIfDecision& decision) {
  return decision.failure.empty() ? decision_text(decision.command) : "its hook would have thrown: " + decision.failure;
}

json place_json(const std::optional<StopPlace>& place, const char* why) {
  return place ? json{{"seq", place->seq}, {"position", position_json(place->position)}, {why, place->why}} : json();
}

std::string end_of_run(const WhatIfReport& report) {
  if (!report.ended) {
    return "the log does not end";
  }
  return std::string(report.stopped ? "the run stopped at " : "the run ended at ") +
         epoch_and_step(report.ended->position) + ": " + report.ended->why;
}

}  // namespace

json position_json(const Position& position) {
  return {{"stage", std::string(stage_name(position.stage()))},
          {"epoch", position.epoch()},
          {"batch_index", position.batch_index()},
          {"global_step", position.global_step()}};
}

void print_text(std::ostream& out, const ReplayReport& report) {
  print_not_replayable(out, report.not_replayable);
  if (const auto& first = report.first_divergence) {
    out << "first divergence at " << place_text(first->seq, first->position) << ", " << first->callback
        << "\n  recorded: " << first->recorded << "\n  replayed: " << first->replayed << '\n';
  }
  out << report.events << " events, " << report.reproduced << " decisions reproduced, " << report.diverged
      << " diverged, " << report.states_equal << " states equal\n";
}

json to_json(const ReplayReport& report) {
  json first;
  if (const auto& found = report.first_divergence) {
    first = {{"seq", found->seq},
             {"position", position_json(found->position)},
             {"callback", found->callback},
             {"recorded", found->recorded},
             {"replayed", found->replayed}};
  }
  return {{"events", report.events},
          {"decisions", report.decisions},
          {"reproduced", report.reproduced},
          {"diverged", report.diverged},
          {"states_equal", report.states_equal},
          {"first_divergence", first},
          {"not_replayable", others_json(report.not_replayable)},
          {"unreadable", report.unreadable}};
}

void print_text(std::ostream& out, const WhatIfDecision& decision) {
  const char* side = decision.side == WhatIfDecision::Side::kBoth     ? "= "
                     : decision.side == WhatIfDecision::Side::kWhatIf ? "+ "
                                                                      : "- ";
  out << side << place_text(decision.seq, decision.position) << "  " << decision.callback << ": " << said_of(decision)
      << (decision.known ? "\n" : "  (the log cannot know)\n");
}

json to_json(const WhatIfDecision& decision) {
  const char* side = decision.side == WhatIfDecision::Side::kBoth     ? "both"
                     : decision.side == WhatIfDecision::Side::kWhatIf ? "what_if"
                                                                      : "recorded";
  return {{"seq", decision.seq},
          {"position", position_json(decision.position)},
          {"callback", decision.callback},
          {"command", said_of(decision)},
          {"side", side},
          {"known", decision.known}};
}

void print_text(std::ostream& out, const WhatIfReport& report) {
  print_not_replayable(out, report.not_replayable);
  if (report.unknown) {
    out << "from " << place_text(report.unknown->seq, report.unknown->position)
        << " on the log cannot know what would have been: " << report.unknown->why << '\n';
  }
  out << report.events << " events, " << report.decisions << " decisions\n";
  if (!report.would_stop) {
    out << "would not have stopped; " << end_of_run(report) << '\n';
    return;
  }
  out << "would have stopped at " << epoch_and_step(report.would_stop->position) << " (" << report.would_stop->why
      << "); " << end_of_run(report) << '\n';
}

json to_json(const WhatIfReport& report) {
  return {{"events", report.events},
          {"would_stop", place_json(report.would_stop, "why")},
          {"ended", place_json(report.ended, "reason")},
          {"unknown", place_json(report.unknown, "why")},
          {"not_replayable", others_json(report.not_replayable)}};
}

}  // namespace troupe
