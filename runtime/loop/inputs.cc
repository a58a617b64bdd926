#include "troupe/runtime/loop/inputs.h"

namespace troupe {
namespace {

constexpr char kOperator[] = "operator";  // No class has this name: it is a keyword.

}  // namespace

void record_inputs(EventEmitter& emitter, const std::function<void(const Round&)>& apply) {
  for (auto& input : emitter.sink().take_inputs()) {
    auto event = emitter.make<InputRecorded>();
    *event->mutable_input_recorded() = std::move(input);
    const EventPtr recorded = event;
    emitter.publish(std::move(event));
    emitter.sink().flush();
    const auto& written = recorded->input_recorded();
    if (written.has_command()) {
      apply({recorded->seq(), {{written.from(), kOperator, written.command()}}, {}});
    }
  }
}

bool is_operator(const Decision& decision) {
  return decision.from_type == kOperator;
}

v1::UserEvent user_event_of(const Decision& decision) {
  v1::UserEvent event = decision.command.custom().event();
  event.set_from(decision.from);
  return event;
}

}  // namespace troupe
