#include "troupe/actors/mailbox/operator_inbox.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("an inbox that is full takes nothing more") {
  OperatorInbox inbox;
  for (size_t i = 0; i < OperatorInbox::kCommandsMax; ++i) {
    CHECK(inbox.send({}));
  }
  CHECK_FALSE(inbox.send({}));
  CHECK(inbox.take().size() == OperatorInbox::kCommandsMax);
  CHECK(inbox.send({}));
}
