#include "runtime/evaluation_run.h"

#include <cstring>

namespace troupe {
namespace {

void apply_outside_fit(EventEmitter& emitter, const Round& round) {
  for (const auto& decision : round.decisions) {
    if (decision.command.has_log_metric()) {
      CommandApplied applied;
      applied.set_from(decision.from);
      applied.set_cause_seq(round.seq);
      *applied.mutable_command() = decision.command;
      emitter.publish(std::move(applied));
      continue;
    }
    CommandRefused refused;
    refused.set_from(decision.from);
    refused.set_cause_seq(round.seq);
    *refused.mutable_command() = decision.command;
    refused.set_reason("nothing is being trained: in an evaluation only LogMetric is allowed");
    emitter.publish(std::move(refused));
  }
}

void check_interrupt(EventEmitter& emitter) {
  if (const int signal = emitter.sink().pending_signal()) {
    emitter.publish(input_of_signal(signal));
    emitter.sink().flush();
    throw Interrupted{signal};
  }
}

}  // namespace

EvaluationResult run_evaluation(Stage stage, Module& module, DataLoader& loader, int64_t batches, EventSink& sink,
                                RunOpening opening) {
  EventEmitter emitter(sink, 0);
  emitter.set_round_handler([&](const Round& round, EventType /*about*/) { apply_outside_fit(emitter, round); });
  EvaluationResult result;
  run_framed(emitter, stage, std::move(opening), [&] {
    if (batches == 0) {
      return;
    }
    EvaluationLoop loop(stage, module, emitter);
    loop.on_batch_boundary = [&] { check_interrupt(emitter); };
    v1::EvaluationProgress progress;
    result = loop.run(loader, batches, progress);
  });
  return result;
}

}  // namespace troupe
