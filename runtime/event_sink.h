#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/event.h"
#include "runtime/run_state.h"

namespace troupe {

struct Snapshot;

/// One command of one sender.
struct Decision {
  std::string from;       ///< State key of the callback.
  std::string from_type;  ///< Its class.
  v1::Command command;
};

/// The answers of all controllers to one event, in the canonical order in which they are applied: kind of command, then
/// state key; checkpoints last.
struct Round {
  uint64_t seq = 0;  ///< Of the event they were asked about.
  std::vector<Decision> decisions;
};

/// What the loop speaks to: events go out, decisions and inputs come in. Called from the loop's thread only. Every call
/// may throw IoError when the event log can no longer be written, and CallbackError when a controller failed.
class EventSink {
 public:
  virtual ~EventSink() = default;

  /// Whether anybody takes this type. Transient events are built only where this holds.
  virtual bool takes(EventType type) const = 0;
  /// Whether a controller decides on this type: then the event goes through ask().
  virtual bool asks(EventType type) const = 0;

  /// Hands a fact over. Its seq is still 0: the receiver gives it. Waits only when the event log's buffer is full.
  virtual void emit(std::shared_ptr<Event> event) = 0;
  /// Hands a fact over and waits for what the controllers say of it.
  virtual Round ask(std::shared_ptr<Event> event) = 0;
  /// Hands over the copied state with its CheckpointTaken event; the file is written later, elsewhere.
  virtual void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot, bool weights_only) = 0;
  /// Removes a checkpoint file unless one of the `saves_before` checkpoints taken last before it could not be written.
  virtual void remove_checkpoint(const std::string& path, int saves_before) = 0;
  /// Returns when everything emitted so far is in the log's file.
  virtual void flush() = 0;

  /// The signal that asks the run to end, or 0. Cheap: read at every batch boundary.
  virtual int pending_signal() const = 0;
};

}  // namespace troupe
