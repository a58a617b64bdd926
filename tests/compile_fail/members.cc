// Callbacks whose optional members are wrong in one way each.

#include <memory>

#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;

struct Hook {
  void on(const ValidationEnded& event, Control& control);
};

#ifdef state_dict_alone  // state_dict() and load_state_dict() go together: write both
struct Wrong : Hook {
  StateDict state_dict() const;
};
#endif
#ifdef load_state_dict_alone  // state_dict() and load_state_dict() go together: write both
struct Wrong : Hook {
  void load_state_dict(const StateDict& state);
};
#endif
#ifdef state_dict_of_another_type  // state_dict() must be public: troupe::StateDict state_dict() const;
struct Wrong : Hook {
  std::map<std::string, double> state_dict() const;
  void load_state_dict(const StateDict& state);
};
#endif
#ifdef state_dict_not_const  // state_dict() must be public: troupe::StateDict state_dict() const;
struct Wrong : Hook {
  StateDict state_dict();
  void load_state_dict(const StateDict& state);
};
#endif
#ifdef load_state_dict_changes_it  // load_state_dict() must be public: void load_state_dict(const troupe::StateDict&
                                   // state);
struct Wrong : Hook {
  StateDict state_dict() const;
  void load_state_dict(StateDict& state);
};
#endif
#ifdef private_state  // state_dict() must be public: troupe::StateDict state_dict() const;
class Wrong : public Hook {
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);
};
#endif

#ifdef state_key_is_a_number  // state_key() must be public: std::string state_key() const;
struct Wrong : Hook {
  int state_key() const;
};
#endif
#ifdef state_key_is_a_member  // state_key() must be public: std::string state_key() const;
struct Wrong : Hook {
  std::string state_key;
};
#endif
#ifdef takes_state_of_nothing  // takes_state_of() must be public: bool takes_state_of(const std::string& state_key)
struct Wrong : Hook {
  bool takes_state_of() const;
};
#endif
#ifdef private_takes_state_of  // takes_state_of() must be public: bool takes_state_of(const std::string& state_key)
class Wrong : public Hook {
  bool takes_state_of(const std::string& state_key) const;
};
#endif
#ifdef ask_when_of_one  // ask_when() must be public: std::vector<troupe::AskWhen> ask_when() const;
struct Wrong : Hook {
  AskWhen ask_when() const;
};
#endif
#ifdef takes_events_of_one  // takes_events() must be public: troupe::EventTypeSet takes_events() const;
struct Wrong : Hook {
  std::vector<EventType> takes_events() const;
};
#endif
#ifdef set_run_directory_of_a_number  // set_run_directory() must be public: void set_run_directory(const
                                      // std::filesystem
struct Wrong : Hook {
  void set_run_directory(int directory);
};
#endif
#ifdef prepare_files_of_a_folder  // prepare_files() must be public: void prepare_files(troupe::Stage stage);
struct Wrong : Hook {
  void prepare_files(const std::filesystem::path& folder);
};
#endif
#ifdef set_outbox_by_reference  // set_outbox() must be public: void set_outbox(std::shared_ptr<troupe::Outbox> outbox);
struct Wrong : Hook {
  void set_outbox(Outbox& outbox);
};
#endif

#ifdef policy_of_another_type  // kPolicy must be public: static constexpr troupe::CallbackPolicy kPolicy = {...};
struct Wrong : Hook {
  static constexpr int kPolicy = 3;
};
#endif
#ifdef policy_of_each_object  // kPolicy must be public: static constexpr troupe::CallbackPolicy kPolicy = {...};
struct Wrong : Hook {
  CallbackPolicy kPolicy;
};
#endif
#ifdef policy_that_is_not_constant  // kPolicy must be public: static constexpr troupe::CallbackPolicy kPolicy = {...};
struct Wrong : Hook {
  inline static CallbackPolicy kPolicy;
};
#endif
#ifdef restarts_without_copies  // this callback's kPolicy asks for restarts, but the class cannot be copied
struct Wrong : Hook {
  static constexpr CallbackPolicy kPolicy{.max_restarts = 2};
  std::unique_ptr<int> owned;
};
#endif

#ifdef options_out_of_order  // does not match declaration order in
struct Wrong : Hook {
  static constexpr CallbackPolicy kPolicy{.on_failure = FailurePolicy::kDetach, .max_restarts = 2};
};
#endif

#ifdef every_member  // compiles
struct Wrong : Hook {
  static constexpr CallbackPolicy kPolicy{.max_restarts = 2};
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);
  std::string state_key() const;
  bool takes_state_of(const std::string& state_key) const;
  std::vector<AskWhen> ask_when() const;
  EventTypeSet takes_events() const;
  void set_run_directory(const std::filesystem::path& run_directory);
  void prepare_files(Stage stage);
  void set_outbox(std::shared_ptr<Outbox> outbox);
};
#endif
#ifdef what_converts  // compiles
struct Wrong : Hook {
  StateDict state_dict() const;
  bool load_state_dict(StateDict state);
  const char* state_key() const;
  void set_run_directory(std::string directory);
};
#endif
#ifdef no_restarts_without_copies  // compiles
struct Wrong : Hook {
  static constexpr CallbackPolicy kPolicy{.max_restarts = 0};
  std::unique_ptr<int> owned;
};
#endif

std::unique_ptr<Callback> made(std::shared_ptr<Wrong> callback) {
  return make_callback(std::move(callback));
}
