#include "troupe/runtime/loop/evaluation_run.h"

#include <algorithm>
#include <optional>

#include "troupe/runtime/event/round.h"
#include "troupe/runtime/loop/inputs.h"
#include "troupe/runtime/loop/live.h"

namespace troupe {
namespace {

/// What commands and inputs do in an evaluation by itself.
class EvaluationCommands {
 public:
  explicit EvaluationCommands(EventEmitter& emitter) : emitter_(emitter) {}

  void apply(const Round& round) {
    const auto contradictions = find_contradictions(round.decisions);
    for (size_t i = 0; i < round.decisions.size(); ++i) {
      const auto& decision = round.decisions[i];
      const std::string reason = contradictions[i].empty() ? refusal(decision) : contradictions[i];
      if (!reason.empty()) {
        publish_refused(decision, round.seq, reason);
        continue;
      }
      CommandApplied applied;
      applied.set_from(decision.from);
      applied.set_cause_seq(round.seq);
      *applied.mutable_command() = decision.command;
      emitter_.publish(std::move(applied));
      carry_out(decision);
    }
  }

  /// Ends the run here if a signal or an operator asks for it.
  void check_interrupt() {
    auto& sink = emitter_.sink();
    if (const int signal = sink.pending_signal()) {
      emitter_.publish(input_of_signal(signal));
      sink.flush();
      throw interrupted_by(signal);
    }
    if (sink.has_inputs()) {
      record_inputs(emitter_, [this](const Round& round) { apply(round); });
      if (stop_) {
        throw *stop_;
      }
    }
  }

 private:
  static std::string refusal(const Decision& decision) {
    const auto& command = decision.command;
    if (command.has_custom()) {
      return command.custom().event().type().empty() ? "an event of the user's own needs a type" : "";
    }
    if (command.has_log_metric() || (command.has_stop() && is_operator(decision))) {
      return {};
    }
    return "nothing is being trained: in an evaluation only LogMetric and Custom are allowed, and Stop to operators";
  }

  void publish_refused(const Decision& decision, uint64_t cause_seq, const std::string& reason) {
    CommandRefused refused;
    refused.set_from(decision.from);
    refused.set_cause_seq(cause_seq);
    *refused.mutable_command() = decision.command;
    refused.set_reason(reason);
    emitter_.publish(std::move(refused));
  }

  void carry_out(const Decision& decision) {
    if (decision.command.has_custom()) {
      emitter_.publish(user_event_of(decision));
    } else if (decision.command.has_stop()) {
      stop_ = stopped_by_operator(decision.from, decision.command.stop().reason());
    }
  }

  EventEmitter& emitter_;
  std::optional<Interrupted> stop_;
};

const CountOrFraction& limit_of(Stage stage, const TrainerOptions& options) {
  switch (stage) {
    case v1::STAGE_TEST:
      return options.limit_test_batches;
    case v1::STAGE_PREDICT:
      return options.limit_predict_batches;
    default:
      return options.limit_val_batches;
  }
}

std::string_view limit_name(Stage stage) {
  return stage == v1::STAGE_TEST      ? "limit_test_batches"
         : stage == v1::STAGE_PREDICT ? "limit_predict_batches"
                                      : "limit_val_batches";
}

}  // namespace

EvaluationResult run_evaluation(ModuleScope& scope, const DataLoaders& loaders, const TrainerOptions& options,
                                EventSink& sink, RunOpening opening) {
  const auto* opened = std::get_if<OpenedRun>(&opening);
  EventEmitter emitter(sink, opened == nullptr ? 0 : opened->elapsed_us());
  EvaluationCommands commands(emitter);
  emitter.set_round_handler([&](const Round& round, EventType /*about*/) { commands.apply(round); });
  emitter.set_live_turn([&](Callback& callback, const RunState& run, const Event& event, const StepOutputs* outputs) {
    return run_live_hook(callback, event, run, {.module = scope.module(), .outputs = outputs});
  });
  std::vector<int64_t> batches;
  for (const auto& loader : loaders) {
    batches.push_back(limited_batches(limit_of(scope.stage(), options), loader->batches(), limit_name(scope.stage())));
  }
  ModuleContext context(scope.module());
  context.set_emit(publish_through(emitter));
  if (options.barebones) {
    context.disable_logging();
  }
  EvaluationResult result;
  run_framed(emitter, scope, std::move(opening), [&] {
    if (std::all_of(batches.begin(), batches.end(), [](int64_t count) { return count == 0; })) {
      return;
    }
    EvaluationLoop loop(scope.stage(), scope.module(), emitter, options.precision);
    loop.on_batch_boundary = [&] { commands.check_interrupt(); };
    v1::EvaluationProgress progress;
    result = loop.run(loaders, batches, progress);
  });
  return result;
}

}  // namespace troupe
