#include "troupe/callbacks/guarding/bad_batches.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("bad batches are listed once each, in the order in which they were met") {
  BadBatches batches;
  batches.add({.epoch = 1, .batch_index = 7, .step = 9, .value = 2.5});
  batches.add({.epoch = 0, .batch_index = 7, .step = 4, .value = std::nullopt});
  batches.add({.epoch = 1, .batch_index = 7, .step = 9, .value = 3.0});
  CHECK(batches.to_json() ==
        "[\n"
        R"({"batch_index":7,"epoch":1,"step":9,"value":2.5})"
        ",\n"
        R"({"batch_index":7,"epoch":0,"step":4,"value":null})"
        "\n]\n");
}

TEST_CASE("bad batches read back from their JSON, values that are not finite too") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  BadBatches batches;
  batches.add({.epoch = 0, .batch_index = 0, .step = 0, .value = std::nan("")});
  batches.add({.epoch = 0, .batch_index = 1, .step = 1, .value = kInfinity});
  batches.add({.epoch = 0, .batch_index = 2, .step = 2, .value = -kInfinity});
  batches.add({.epoch = 4294967295, .batch_index = 4294967295, .step = 1ULL << 62, .value = 0.1});
  const std::string json = batches.to_json();
  CHECK(nlohmann::json::parse(json).size() == 4);
  const BadBatches again = BadBatches::from_json(json);
  CHECK(again.to_json() == json);
  CHECK(std::isnan(again.all()[0].value.value()));
  CHECK(again.all()[1].value == kInfinity);
  CHECK(again.all()[2].value == -kInfinity);
  CHECK(again.all()[3].step == 1ULL << 62);
  CHECK(BadBatches::from_json(BadBatches().to_json()).all().empty());
}

TEST_CASE("what is no list of bad batches is corrupt") {
  for (const char* text :
       {"", "{", "7", "[7]", R"([{"epoch": 1}])", R"([{"batch_index": "a", "epoch": 1, "step": 1, "value": 1}])"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(BadBatches::from_json(text), CorruptionError);
  }
}
