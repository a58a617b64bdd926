#include "troupe/runtime/event/message_texts.h"

#include <doctest/doctest.h>
#include <troupe/v1/checkpoint.pb.h>
#include <troupe/v1/event.pb.h>

using namespace troupe;

TEST_CASE("a text that is not UTF-8 is found wherever it is, and repaired there alone") {
  v1::Event event;
  auto& round = *event.mutable_command_applied();
  round.set_from("someone");
  CHECK(find_broken_text(event).empty());
  SUBCASE("in a message within a oneof") {
    round.mutable_command()->mutable_stop()->set_reason("\xff");
    CHECK(find_broken_text(event) == "troupe.v1.Stop.reason");
  }
  SUBCASE("in a repeated string") {
    round.mutable_command()->mutable_set_frozen()->add_parameters("head");
    round.mutable_command()->mutable_set_frozen()->add_parameters("\xff");
    CHECK(find_broken_text(event) == "troupe.v1.SetFrozen.parameters");
  }
  SUBCASE("in a repeated message") {
    event.mutable_run_ended()->add_callbacks()->set_state_key("\xff");
    CHECK(find_broken_text(event) == "troupe.v1.CallbackHealth.state_key");
  }
  CHECK_FALSE(v1::Event().ParseFromString(event.SerializeAsString()));  // What a log would be left with.
  v1::Event repaired = event;
  repair_texts(repaired);
  CHECK(find_broken_text(repaired).empty());
  CHECK(v1::Event().ParseFromString(repaired.SerializeAsString()));
  CHECK(repaired.DebugString().find("\\357\\277\\275") != std::string::npos);
  CHECK((event.has_run_ended() || repaired.command_applied().from() == "someone"));
}

TEST_CASE("fields of bytes are not text") {
  v1::StateValue value;
  value.set_bytes_value("\xff");
  const std::string before = value.SerializeAsString();
  CHECK(find_broken_text(value).empty());
  repair_texts(value);
  CHECK(value.SerializeAsString() == before);
}
