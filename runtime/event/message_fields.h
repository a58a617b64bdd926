#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <string>

namespace troupe {

/// Every value in `message` by its name, as a text that is the same for the same value alone: "optimizers[0].groups[0]
/// .options.lr" is "0.1". Elements of a list that have a name, a state_key or a parameter are called by it, others by
/// their index; a state_dict's entries by their names, in quotes where these have dots or brackets: s."a.b" is no
/// s.a.b. A dict in a dict and a list in one have the number of what is in them as their value. Names begin with
/// `prefix`.
std::map<std::string, std::string> message_fields(const google::protobuf::Message& message, const std::string& prefix);

}  // namespace troupe
