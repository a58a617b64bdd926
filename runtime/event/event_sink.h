#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/event/decided_before.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"

namespace troupe {

class Callback;
struct Snapshot;
struct StepOutputs;

/// One command of one sender.
struct Decision {
  std::string from;       ///< State key of the callback; an operator's name.
  std::string from_type;  ///< Its class.
  v1::Command command;
};

/// The answers of all controllers to one event, in the canonical order in which they are applied: kind of command, then
/// state key; checkpoints last.
struct Round {
  uint64_t seq = 0;  ///< Of the event they were asked about.
  std::vector<Decision> decisions;
  std::vector<std::string> detached;  ///< State keys of controllers that were detached here: their votes lapse.
};

/// What the loop does with a callback that is lent to it: runs its Live hook and returns what it commanded.
using LiveTurn = std::function<std::vector<v1::Command>(Callback&, const RunState&)>;

/// What the loop speaks to: events go out, decisions and inputs come in. Called from the loop's thread only. Every call
/// may throw IoError when the event log can no longer be written, and CallbackError when a controller failed.
class EventSink {
 public:
  virtual ~EventSink() = default;

  /// Whether anybody takes this type. Transient events are built only where this holds.
  virtual bool takes(EventType type) const = 0;
  /// Whether anybody takes the tensors beside this type.
  virtual bool takes_outputs(EventType type) const = 0;
  /// Whether a controller wants to be asked about this event: then it goes through ask(). To be called once for every
  /// event that is handed over.
  virtual bool asks(const Event& event) = 0;
  /// Whether a callback has a Live hook for this type.
  virtual bool lends(EventType type) const = 0;

  /// Hands a fact over, and this step's tensors where takes_outputs says so. Its seq is still 0: the receiver gives it,
  /// and may set another elapsed time where it repeats what an earlier process had decided by the clock.
  /// Waits only when the event log's buffer is full.
  virtual void emit(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) = 0;
  /// Hands a fact over and waits for what the controllers that want it say of it.
  virtual Round ask(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) = 0;
  /// Lends each callback with a Live hook for the event, which has been handed over, to the calling thread, one after
  /// the other in the order in which they were added: `turn` runs the hook, `apply` carries its commands out.
  virtual void lend(const EventPtr& event, const LiveTurn& turn, const std::function<void(const Round&)>& apply) = 0;
  /// To be called before the state is copied for the checkpoint `path`: waits until at most one is still being written,
  /// so that there are never more than two copies, and says so in a CheckpointWaited. Every call is followed by
  /// take_checkpoint.
  virtual void await_checkpoint_slot(const std::string& /*path*/) {}
  /// Hands over the copied state with its CheckpointTaken event; the file is written later, elsewhere.
  virtual void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot, bool weights_only) = 0;
  /// Removes a checkpoint file unless one of the `saves_before` checkpoints taken last before it could not be written.
  virtual void remove_checkpoint(const std::string& path, int saves_before) = 0;
  /// Returns when everything emitted so far is in the log's file.
  virtual void flush() = 0;

  /// The signal that asks the run to end, or 0. Cheap: read at every batch boundary.
  virtual int pending_signal() const = 0;
  /// Whether operators have sent commands. As cheap.
  virtual bool has_inputs() const = 0;
  /// Takes them, in the order in which they came.
  virtual std::vector<v1::InputRecorded> take_inputs() = 0;
  /// What an earlier process of the run decided here, where this one repeats it: whether a time-based validation is
  /// due. kYes sets `elapsed_us` to when that was.
  virtual DecidedBefore validation_decided_before(uint64_t& elapsed_us) {
    (void)elapsed_us;
    return DecidedBefore::kUnknown;
  }
  /// Waits until there is a signal or an input.
  virtual void wait_for_input() = 0;
};

}  // namespace troupe
