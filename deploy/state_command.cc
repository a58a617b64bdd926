#include <charconv>
#include <iostream>
#include <memory>

#include "troupe/deploy/commands.h"
#include "troupe/deploy/event_text.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_history.h"

namespace troupe {
namespace {

enum class Unit { kSeq, kStep, kEpoch };

/// A place in a run that a user named.
struct Place {
  Unit unit;
  uint64_t number;
};

Place parse_place(std::string_view text) {
  Unit unit = Unit::kSeq;
  std::string_view number = text;
  if (text.starts_with("step=")) {
    unit = Unit::kStep;
    number.remove_prefix(5);
  } else if (text.starts_with("epoch=")) {
    unit = Unit::kEpoch;
    number.remove_prefix(6);
  }
  Place place{unit, 0};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), place.number);
  if (error != std::errc{} || end != number.data() + number.size()) {
    throw ConfigError("--at " + std::string(text) + ": expected SEQ, step=N or epoch=N");
  }
  return place;
}

/// Which places of one unit a run has, and whether one of them is the one asked for.
class PlaceFinder {
 public:
  explicit PlaceFinder(Place wanted) : wanted_(wanted) {}

  bool found_at(const Event& event) {
    switch (wanted_.unit) {
      case Unit::kSeq:
        return found_ = reached(event.seq()) && last_ == wanted_.number;
      case Unit::kStep:
        return found_ = event.has_train_batch_ended() && event.position().global_step() > last_ &&
                        reached(event.position().global_step()) && wanted_.number > 0 && last_ >= wanted_.number;
      case Unit::kEpoch:
        return found_ = event.has_train_epoch_ended() && reached(event.position().epoch()) && last_ == wanted_.number;
    }
    return false;
  }
  bool found() const { return found_; }

  /// "the run has steps 1 to 40".
  std::string range() const {
    static constexpr const char* kNames[] = {"sequence numbers", "steps", "completed epochs"};
    const std::string name = kNames[static_cast<int>(wanted_.unit)];
    const char* first = wanted_.unit == Unit::kEpoch ? "0" : "1";
    return any_ ? "the run has " + name + " " + first + " to " + std::to_string(last_) : "the run has no " + name;
  }

 private:
  bool reached(uint64_t number) {
    last_ = number;
    any_ = true;
    return true;
  }

  Place wanted_;
  uint64_t last_ = 0;
  bool any_ = false;
  bool found_ = false;
};

int print_state(const std::string& run, const std::string& at) {
  if (at.empty()) {
    std::cout << to_pretty_json(fold_event_log(find_run(run).events()).to_proto());
    return 0;
  }
  PlaceFinder place(parse_place(at));
  const RunState state = fold_event_log(find_run(run).events(),
                                        [&](const RunState&, const Event& event) { return place.found_at(event); });
  if (!place.found()) {
    std::cerr << "troupe: " << run << ": nothing at " << at << "; " << place.range() << '\n';
    return 1;
  }
  std::cout << to_pretty_json(state.to_proto());
  return 0;
}

}  // namespace

void add_state_command(CLI::App& tool, Action& action) {
  auto run = std::make_shared<std::string>();
  auto at = std::make_shared<std::string>();
  auto* state = tool.add_subcommand("state", "Print what a run was at some place, as JSON");
  state->add_option("RUN", *run, "Run directory")->required();
  state->add_option("--at", *at, "Where: a sequence number, step=N or epoch=N; without it, the end")
      ->option_text("PLACE");
  state->footer(
      "The state is folded from the event log; the model is not needed. step=N is just after the training batch that\n"
      "completed optimizer step N (from 1), epoch=N just after epoch N ended (from 0).\n"
      "Examples:\n  troupe state RUN\n  troupe state RUN --at step=100 | jq .metrics\n  troupe state RUN --at epoch=0");
  state->callback([run, at, &action] { action = [run, at] { return print_state(*run, *at); }; });
}

}  // namespace troupe
