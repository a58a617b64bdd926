// Callbacks whose overloads of on() are wrong in one way each.

#include <memory>

#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;

#ifdef no_on  // this callback has no legal hook: write void on(const E&)
struct Wrong {
  void on_validation_end(const ValidationEnded& event);
};
#endif
#ifdef private_on  // this callback has no legal hook: write void on(const E&)
class Wrong {
  void on(const ValidationEnded& event);
};
#endif
#ifdef one_private_on  // An error here says that an overload of on() is private: make every on() public.
class Wrong {
 public:
  void on(const ValidationEnded& event);

 private:
  void on(const RunEnded& event);
};
#endif

#ifdef event_is_an_int  // on() takes something that is no event: take one of troupe's
struct Wrong {
  void on(int step);
};
#endif
#ifdef one_event_is_an_int  // on() takes something that is no event: take one of troupe's
struct Wrong {
  void on(const ValidationEnded& event);
  void on(int step);
};
#endif
#ifdef event_of_another_name  // on() takes something that is no event: take one of troupe's
struct ValidationEnd {};
struct Wrong {
  void on(const ValidationEnd& event, Control& control);
  void on(const TrainEnded& event, Control& control);
};
#endif
#ifdef two_that_are_no_events  // on() takes something that is no event: take one of troupe's
struct Wrong {
  void on(const ValidationEnded& event);
  void on(const Metric& metric);
  void on(const Position& position);
};
#endif
#ifdef any_message  // on() takes something that is no event: take one of troupe's
struct Wrong {
  void on(const google::protobuf::Message& event);
};
#endif
#ifdef shared_event  // on() takes something that is no event: take one of troupe's
struct Wrong {
  void on(const ValidationEnded& event);
  void on(EventPtr event);
};
#endif

#ifdef event_by_value  // a hook takes its event by reference to const: write void on(const E&), not E, E& or E&&
struct Wrong {
  void on(ValidationEnded event);
};
#endif
#ifdef event_by_value_with_control  // a hook takes its event by reference to const
struct Wrong {
  void on(ValidationEnded event, Control& control);
};
#endif
#ifdef event_by_reference  // a hook takes its event by reference to const
struct Wrong {
  void on(ValidationEnded& event);
};
#endif
#ifdef one_event_by_reference  // a hook takes its event by reference to const
struct Wrong {
  void on(const TrainEnded& event);
  void on(ValidationEnded& event, const RunState& run);
};
#endif
#ifdef event_by_rvalue_reference  // a hook takes its event by reference to const
struct Wrong {
  void on(ValidationEnded&& event) const;
};
#endif
#ifdef every_event_by_value  // a hook takes its event by reference to const
struct Wrong {
  void on(Event event);
};
#endif

#ifdef second_is_an_int  // the second parameter of on() is none, const troupe::RunState&, const troupe::StepOutputs&
struct Wrong {
  void on(const ValidationEnded& event, int step);
};
#endif
#ifdef second_is_an_int_beside_a_hook  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, Control& control);
  void on(const ValidationEnded& event, int step);
};
#endif
#ifdef control_by_value  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, Control control);
};
#endif
#ifdef control_to_const  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, const Control& control);
};
#endif
#ifdef control_by_pointer  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, Control* control);
};
#endif
#ifdef run_state_by_value  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, RunState run);
};
#endif
#ifdef run_state_to_change  // the second parameter of on() is none
struct Wrong {
  void on(const ValidationEnded& event, RunState& run);
};
#endif
#ifdef outputs_by_value  // the second parameter of on() is none
struct Wrong {
  void on(const TrainBatchEnded& event, StepOutputs outputs);
};
#endif
#ifdef outputs_to_change  // the second parameter of on() is none
struct Wrong {
  void on(const TrainBatchEnded& event, StepOutputs& outputs);
};
#endif
#ifdef live_by_value  // the second parameter of on() is none
struct Wrong {
  void on(const BackwardEnded& event, Live live);
};
#endif
#ifdef live_to_const  // the second parameter of on() is none
struct Wrong {
  void on(const BackwardEnded& event, const Live& live);
};
#endif

#ifdef plain_and_run_state  // this callback has two forms of on() for one event
struct Wrong {
  void on(const ValidationEnded& event);
  void on(const ValidationEnded& event, const RunState& run);
};
#endif
#ifdef plain_and_control  // this callback has two forms of on() for one event
struct Wrong {
  void on(const ValidationEnded& event);
  void on(const ValidationEnded& event, Control& control);
};
#endif
#ifdef control_and_live  // this callback has two forms of on() for one event
struct Wrong {
  void on(const ValidationEnded& event, Control& control);
  void on(const ValidationEnded& event, Live& live);
};
#endif
#ifdef every_event_in_two_forms  // this callback has two forms of on() for one event
struct Wrong {
  void on(const Event& event);
  void on(const Event& event, const RunState& run);
};
#endif

#ifdef controller_of_checkpoint_saved  // no controller is asked about this event: take it as an observer
struct Wrong {
  void on(const CheckpointSaved& event, Control& control);
};
#endif
#ifdef live_hook_of_run_ended  // no controller is asked about this event: take it as an observer
struct Wrong {
  void on(const RunEnded& event, Live& live);
};
#endif
#ifdef controller_of_every_event  // on(const Event&, Control&) is not allowed
struct Wrong {
  void on(const Event& event, Control& control);
};
#endif
#ifdef outputs_of_an_epoch  // no tensors travel beside this event: StepOutputs come with TrainBatchEnded
struct Wrong {
  void on(const TrainEpochEnded& event, const StepOutputs& outputs);
};
#endif

#ifdef every_form  // compiles
struct Wrong {
  void on(const Event& event);
  void on(const ValidationEnded& event, const RunState& run) const;
  static void on(const TrainEnded& event);
  bool on(const FitStarted& event, Control& control);
  void on(const BackwardEnded& event, Live& live);
  void on(const TrainBatchEnded& event, const StepOutputs& outputs) noexcept;
};
#endif
#ifdef inherited_hooks  // compiles
struct Base {
  virtual ~Base() = default;
  virtual void on(const ValidationEnded& event) = 0;
};
struct Wrong : Base {
  using Base::on;
  void on(const ValidationEnded& event) override;
  void on(const TrainEnded& event);
};
#endif
#ifdef final_class  // compiles
struct Wrong final {
  void on(const ValidationEnded& event, Control& control);
};
#endif
#ifdef template_of_hooks  // compiles
struct Wrong {
  template <EventBody E>
  void on(const E& event, const RunState& run);
};
#endif
#ifdef template_that_takes_all  // compiles
struct Wrong {
  void on(const auto& event);
};
#endif

std::unique_ptr<Callback> made(std::shared_ptr<Wrong> callback) {
  return make_callback(std::move(callback));
}
