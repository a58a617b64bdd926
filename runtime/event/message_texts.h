#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace troupe {

/// The first field of `message`, or of a message in it, that should hold text and holds bytes that are no UTF-8:
/// "troupe.v1.CallbackState.state_key"; empty if there is none. Such a message can be written, but never read back.
std::string find_broken_text(const google::protobuf::Message& message);

/// Puts U+FFFD in the place of every such byte.
void repair_texts(google::protobuf::Message& message);

}  // namespace troupe
