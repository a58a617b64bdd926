// Callbacks that take events of the user's own, wrong in one way each. Metric and Position stand for the user's
// messages.

#include <memory>

#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;

#ifdef message_not_listed  // on() takes something that is no event: take one of troupe's (docs/events.md), and list a
struct Wrong {
  using UserEvents = UserEventTypes<Metric>;
  void on(const Metric& metric);
  void on(const Position& position);
};
#endif
#ifdef listed_is_no_message  // UserEvents lists protobuf messages of your own
struct Wrong {
  using UserEvents = UserEventTypes<int>;
  void on(const ValidationEnded& event);
};
#endif
#ifdef listed_is_an_event  // UserEvents lists protobuf messages of your own
struct Wrong {
  using UserEvents = UserEventTypes<ValidationEnded>;
  void on(const ValidationEnded& event);
};
#endif
#ifdef listed_is_not_taken  // UserEvents lists a message that no on() takes: write void on(const M&)
struct Wrong {
  using UserEvents = UserEventTypes<Metric>;
  void on(const ValidationEnded& event);
};
#endif
#ifdef list_is_a_message  // UserEvents must be a list: using UserEvents = troupe::UserEventTypes<my::Message>;
struct Wrong {
  using UserEvents = Metric;
  void on(const Metric& metric);
};
#endif
#ifdef private_list  // UserEvents must be a public type: using UserEvents = troupe::UserEventTypes<my::Message>;
class Wrong {
  using UserEvents = UserEventTypes<Metric>;

 public:
  void on(const Metric& metric);
};
#endif
#ifdef message_by_value  // a hook takes its event by reference to const
struct Wrong {
  using UserEvents = UserEventTypes<Metric>;
  void on(Metric metric);
};
#endif
#ifdef message_in_two_forms  // this callback has two forms of on() for one event
struct Wrong {
  using UserEvents = UserEventTypes<Metric>;
  void on(const Metric& metric);
  void on(const Metric& metric, Control& control);
};
#endif
#ifdef message_with_outputs  // no tensors travel beside this event
struct Wrong {
  using UserEvents = UserEventTypes<Metric>;
  void on(const Metric& metric, const StepOutputs& outputs);
};
#endif

#ifdef listed_messages  // compiles
struct Wrong {
  using UserEvents = UserEventTypes<Metric, Position>;
  void on(const Metric& metric, Control& control);
  void on(const Position& position);
};
#endif

std::unique_ptr<Callback> made(std::shared_ptr<Wrong> callback) {
  return make_callback(std::move(callback));
}
