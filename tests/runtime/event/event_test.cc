#include "troupe/runtime/event/event.h"

#include <doctest/doctest.h>

#include <set>

using namespace troupe;

TEST_CASE("the list of event types and the schema name the same events") {
  std::set<std::string> listed;
#define TROUPE_LIST(Message, field) listed.insert(#Message ":" #field);
  TROUPE_EVENTS(TROUPE_LIST)
#undef TROUPE_LIST
  std::set<std::string> in_schema;
  for (const auto& info : all_event_infos()) {
    in_schema.insert(info.name + ":" + info.field);
  }
  CHECK(listed == in_schema);
}

TEST_CASE("the schema says which events are transient and environmental") {
  CHECK(event_info(Event::kTrainBatchStarted).transient);
  CHECK_FALSE(event_info(Event::kTrainBatchEnded).transient);
  CHECK(event_info(Event::kCheckpointSaved).environmental);
  CHECK_FALSE(event_info(Event::kCheckpointTaken).environmental);
  CHECK(event_info(Event::kValidationEnded).hook == "on_validation_end");
}
