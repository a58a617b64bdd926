#include "troupe/runtime/callback/callback.h"

#include <doctest/doctest.h>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/callback_inspection.h"

namespace program {
namespace {
template <class T>
struct Holder {};
struct Hidden {};
}  // namespace
struct Visible {};
}  // namespace program

namespace troupe {
struct OfOurs {};
}  // namespace troupe

namespace {
struct Observer {
  void on(const troupe::FitStarted&) {}
};
struct AskedInVain {
  void on(const troupe::TrainBatchEnded&) {}
  void on(const troupe::TrainEpochEnded&, troupe::Control&) {}
  std::vector<troupe::AskWhen> ask_when() const {
    return {troupe::ask_when<troupe::TrainBatchEnded>({.every_n_steps = 100})};
  }
};
}  // namespace

using namespace troupe;

TEST_CASE("a type is named as people write it") {
  CHECK(readable_type_name(typeid(program::Visible)) == "program::Visible");
  CHECK(readable_type_name(typeid(OfOurs)) == "OfOurs");
}

TEST_CASE("unnamed namespaces are left out of names, also inside of them") {
  CHECK(readable_type_name(typeid(Observer)) == "Observer");
  CHECK(readable_type_name(typeid(program::Hidden)) == "program::Hidden");
  CHECK(readable_type_name(typeid(program::Holder<program::Hidden>)) == "program::Holder<program::Hidden>");
}

TEST_CASE("ask_when for an event that the class does not decide on is refused") {
  CHECK_THROWS_WITH_AS(callback_detail::inspect(AskedInVain(), {}, {}, true),
                       "callback AskedInVain: ask_when() has a line for TrainBatchEnded, for which it has no hook with "
                       "Control& or Live&; an observer's hook gets every event",
                       ConfigError);
}

TEST_CASE("a class in an unnamed namespace has its bare name as state key") {
  CHECK(callback_detail::inspect(Observer(), {}, {}, true).state_key == "Observer");
}
