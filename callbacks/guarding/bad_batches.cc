#include "troupe/callbacks/guarding/bad_batches.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/base/strict_json.h"

namespace troupe {
namespace {

using Json = nlohmann::json;

Json json_of_value(const std::optional<double>& value) {
  if (!value) {
    return nullptr;
  }
  return std::isfinite(*value) ? Json(*value) : Json(shortest_text(*value));
}

std::optional<double> value_of_json(const Json& json) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (json.is_null()) {
    return std::nullopt;
  }
  if (json.is_string()) {
    const auto text = json.get<std::string>();
    return text == "inf" ? kInfinity : text == "-inf" ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
  }
  return json.get<double>();
}

Json json_of_batch(const BadBatch& batch) {
  return {{"batch_index", batch.batch_index},
          {"epoch", batch.epoch},
          {"step", batch.step},
          {"value", json_of_value(batch.value)}};
}

BadBatch batch_of_json(const Json& json) {
  return {.epoch = json.at("epoch").get<uint32_t>(),
          .batch_index = json.at("batch_index").get<uint32_t>(),
          .step = json.at("step").get<uint64_t>(),
          .value = value_of_json(json.at("value"))};
}

}  // namespace

void BadBatches::add(const BadBatch& batch) {
  const bool known = std::any_of(batches_.begin(), batches_.end(), [&](const BadBatch& other) {
    return other.epoch == batch.epoch && other.batch_index == batch.batch_index;
  });
  if (!known) {
    batches_.push_back(batch);
  }
}

std::string BadBatches::to_json() const {
  std::string text = "[";
  for (const auto& batch : batches_) {
    text.append(text.size() == 1 ? "\n" : ",\n").append(json_of_batch(batch).dump());
  }
  return text + "\n]\n";
}

BadBatches BadBatches::from_json(std::string_view text) {
  BadBatches batches;
  try {
    for (const auto& json : parse_json(text, "bad batches")) {
      batches.batches_.push_back(batch_of_json(json));
    }
  } catch (const ConfigError& error) {
    throw CorruptionError(error.what());
  } catch (const Json::exception& error) {
    throw CorruptionError(std::string("bad batches: ") + error.what());
  }
  return batches;
}

}  // namespace troupe
