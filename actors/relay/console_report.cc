#include "troupe/actors/relay/console_report.h"

#include <iostream>
#include <string>

#include "troupe/runtime/event/round.h"

namespace troupe {
namespace {

/// Waits for the disk below it are told by their events alone.
constexpr uint64_t kTellingWaitUs = 100000;

void warn(const std::string& text) {
  std::cerr << "troupe: warning: " + text + "\n";
}

void say_where_it_goes_on(const Event& event) {
  const auto& resumed = event.run_resumed();
  if (resumed.checkpoint().empty()) {
    return;  // It starts over, and that has been said.
  }
  const std::string from = resumed.forked_from().empty()
                               ? "resumed from " + resumed.checkpoint()
                               : "forked from " + resumed.checkpoint() + " of run " + resumed.forked_from();
  const std::string repeated = resumed.superseded_events() == 0 ? ""
                                                                : "; " + std::to_string(resumed.superseded_events()) +
                                                                      " events after it are repeated";
  std::cerr << "troupe: " + from + " at epoch " + std::to_string(event.position().epoch()) + ", step " +
                   std::to_string(event.position().global_step()) + repeated + "\n";
}

}  // namespace

void report_to_console(const Event& event) {
  switch (event.body_case()) {
    case Event::kRunResumed:
      say_where_it_goes_on(event);
      break;
    case Event::kCallbackFailed:
      warn("callback " + event.callback_failed().state_key() + " failed at " + event.callback_failed().message());
      break;
    case Event::kCallbackDetached:
      warn("callback " + event.callback_detached().state_key() +
           " was detached: " + event.callback_detached().reason() + "; training goes on without it");
      break;
    case Event::kCheckpointFailed:
      warn("checkpoint " + event.checkpoint_failed().path() + " was not written: " +
           event.checkpoint_failed().message() + "; training goes on, and older checkpoints stay");
      break;
    case Event::kCheckpointWaited:
      if (event.checkpoint_waited().waited_us() >= kTellingWaitUs) {
        warn("training waited " + std::to_string(event.checkpoint_waited().waited_us() / 1000) +
             " ms before checkpoint " + event.checkpoint_waited().path() +
             ": two earlier ones were still being written; save less often, or to a faster disk");
      }
      break;
    case Event::kCommandRefused:
      warn(std::string(command_name(event.command_refused().command())) + " of " + event.command_refused().from() +
           " was refused: " + event.command_refused().reason());
      break;
    default:
      break;
  }
}

}  // namespace troupe
