#pragma once

#include <troupe/v1/event.pb.h>

#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// Every event type: X(Message, field of Event). The schema is the source; a test compares the two.
#define TROUPE_EVENTS(X)                              \
  X(TrainBatchEnded, train_batch_ended)               \
  X(ValidationBatchEnded, validation_batch_ended)     \
  X(TestBatchEnded, test_batch_ended)                 \
  X(PredictBatchEnded, predict_batch_ended)           \
  X(CommandApplied, command_applied)                  \
  X(UserEvent, user_event)                            \
  X(RunStarted, run_started)                          \
  X(RunResumed, run_resumed)                          \
  X(RunEnded, run_ended)                              \
  X(InputRecorded, input_recorded)                    \
  X(CommandRefused, command_refused)                  \
  X(ExceptionRaised, exception_raised)                \
  X(SetUp, set_up)                                    \
  X(TornDown, torn_down)                              \
  X(CallbackAttached, callback_attached)              \
  X(CallbackFailed, callback_failed)                  \
  X(CallbackRestarted, callback_restarted)            \
  X(CallbackEventSkipped, callback_event_skipped)     \
  X(CallbackDetached, callback_detached)              \
  X(CallbackEventsDropped, callback_events_dropped)   \
  X(CallbackHealthReported, callback_health_reported) \
  X(CallbackEmitted, callback_emitted)                \
  X(CheckpointTaken, checkpoint_taken)                \
  X(CheckpointSaved, checkpoint_saved)                \
  X(CheckpointFailed, checkpoint_failed)              \
  X(CheckpointRemoved, checkpoint_removed)            \
  X(CheckpointLoaded, checkpoint_loaded)              \
  X(CheckpointWaited, checkpoint_waited)              \
  X(FitStarted, fit_started)                          \
  X(FitEnded, fit_ended)                              \
  X(SanityCheckStarted, sanity_check_started)         \
  X(SanityCheckEnded, sanity_check_ended)             \
  X(TrainStarted, train_started)                      \
  X(TrainEnded, train_ended)                          \
  X(TrainEpochStarted, train_epoch_started)           \
  X(TrainEpochEnded, train_epoch_ended)               \
  X(TrainBatchStarted, train_batch_started)           \
  X(ZeroGradStarted, zero_grad_started)               \
  X(BackwardStarted, backward_started)                \
  X(BackwardEnded, backward_ended)                    \
  X(OptimizerStepStarted, optimizer_step_started)     \
  X(ValidationStarted, validation_started)            \
  X(ValidationEnded, validation_ended)                \
  X(ValidationEpochStarted, validation_epoch_started) \
  X(ValidationEpochEnded, validation_epoch_ended)     \
  X(ValidationBatchStarted, validation_batch_started) \
  X(TestStarted, test_started)                        \
  X(TestEnded, test_ended)                            \
  X(TestEpochStarted, test_epoch_started)             \
  X(TestEpochEnded, test_epoch_ended)                 \
  X(TestBatchStarted, test_batch_started)             \
  X(PredictStarted, predict_started)                  \
  X(PredictEnded, predict_ended)                      \
  X(PredictEpochStarted, predict_epoch_started)       \
  X(PredictEpochEnded, predict_epoch_ended)           \
  X(PredictBatchStarted, predict_batch_started)       \
  X(HistogramLogged, histogram_logged)                \
  X(ImageLogged, image_logged)                        \
  X(TextLogged, text_logged)

namespace troupe {

using v1::Event;
using v1::Metric;
using v1::Position;
using v1::Stage;

/// An event is built once and shared; nobody changes it after it has its seq.
using EventPtr = std::shared_ptr<const Event>;

/// Which body an event has: v1::Event::kTrainBatchEnded, ...
using EventType = v1::Event::BodyCase;

/// Large enough for every EventType.
inline constexpr int kEventTypeMax = 128;
using EventTypeSet = std::bitset<kEventTypeMax>;

/// What the schema says of one event type.
struct EventInfo {
  EventType type;
  std::string name;    ///< Message name, "TrainBatchEnded".
  std::string field;   ///< Field of Event, "train_batch_ended".
  std::string hook;    ///< Lightning's name, or empty.
  bool transient;      ///< Not logged, no seq, built only where somebody takes it.
  bool environmental;  ///< Left out when two runs are compared.
};

/// Every event type, by field number.
const std::vector<EventInfo>& all_event_infos();

/// What the schema says of `type`, which must be one of Event's bodies.
const EventInfo& event_info(EventType type);

/// The type with this message name; nullptr if there is none.
const EventInfo* find_event_info(std::string_view name);

/// Compile-time link from a body's message to its place in Event.
template <class Body>
struct EventTraits;

#define TROUPE_EVENT_TRAITS(Message, field)                                            \
  using v1::Message;                                                                   \
  template <>                                                                          \
  struct EventTraits<v1::Message> {                                                    \
    static constexpr EventType kType = v1::Event::k##Message;                          \
    static const v1::Message& body(const Event& event) { return event.field(); }       \
    static v1::Message* mutable_body(Event& event) { return event.mutable_##field(); } \
  };
TROUPE_EVENTS(TROUPE_EVENT_TRAITS)
#undef TROUPE_EVENT_TRAITS

template <class T>
concept EventBody = requires {
  EventTraits<T>::kType;
};

/// Lower-case name of a stage as users know it: "fit", "validate", "test", "predict", "sanity_check".
std::string_view stage_name(Stage stage);

}  // namespace troupe
