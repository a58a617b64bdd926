#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Protobuf's JSON mapping on one line: field names as in the schema, zeros printed, 64-bit integers as strings.
std::string to_json_line(const google::protobuf::Message& message);

/// The same for people to read, over several lines.
std::string to_pretty_json(const google::protobuf::Message& message);

/// An event on one line, in columns: seq, elapsed seconds, position, type, what the body says. Of lists it has the
/// names of what is in them, of bytes and JSON the size.
std::string to_text_line(const Event& event);

/// "fit epoch 0 batch 12 step 13"; "-" outside any stage.
std::string to_text(const Position& position);

}  // namespace troupe
