#include "troupe/runtime/callback/callback_registry.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

struct PatientOptions {
  std::string monitor;
  int patience = 3;

  void describe(OptionVisitor& visit) {
    visit("monitor", monitor, "Metric to watch.").required();
    visit("patience", patience, "Checks to wait.").at_least(0);
  }
};

class Patient {
 public:
  explicit Patient(PatientOptions options) : options_(std::move(options)) {}
  void on(const ValidationEnded&, Control&) {}
  std::string state_key() const {
    return "Patient{" + options_.monitor + "," + std::to_string(options_.patience) + "}";
  }

 private:
  PatientOptions options_;
};

struct Plain {
  void on(const TrainEnded&) {}
};

struct OptionNamedType {
  std::string type;
  void describe(OptionVisitor& visit) { visit("type", type, "Type."); }
};

struct Misnamed {
  explicit Misnamed(const OptionNamedType&) {}
  void on(const TrainEnded&) {}
};

CallbackRegistry registry() {
  CallbackRegistry registry;
  registry.register_callback<Patient, PatientOptions>("Patient");
  registry.register_callback<Plain>("Plain");
  return registry;
}

}  // namespace

TEST_CASE("callbacks are made by name, in the order of the file") {
  const auto callbacks = registry().make_callbacks(
      parse_json(R"([{"type": "Plain"}, {"type": "Patient", "monitor": "val_loss", "patience": 5}])", "test"));
  REQUIRE(callbacks.size() == 2);
  CHECK(callbacks[0]->info().observes[Event::kTrainEnded]);
  CHECK(callbacks[1]->info().state_key == "Patient{val_loss,5}");
  CHECK(callbacks[1]->info().controls[Event::kValidationEnded]);
}

TEST_CASE("an unknown callback type is refused with the registered ones") {
  CHECK_THROWS_WITH_AS(
      registry().make_callbacks(parse_json(R"([{"type": "Plain"}, {"type": "Patience"}])", "test"), "c.json"),
      "c.json[1]: unknown callback type 'Patience' (did you mean 'Patient'?); allowed: Patient, Plain", ConfigError);
  CHECK_THROWS_AS(registry().options("Patience"), ConfigError);
}

TEST_CASE("a wrong option is named with its callback and its place in the file") {
  CHECK_THROWS_WITH_AS(registry().make_callbacks(
                           parse_json(R"([{"type": "Patient", "monitor": "a", "patience": 3.7}])", "test"), "c.json"),
                       "c.json[0]: Patient: 'patience': must be an integer of at least 0, got 3.7", ConfigError);
  CHECK_THROWS_WITH_AS(registry().make_callbacks(parse_json(R"([{"type": "Plain", "patience": 3}])", "test"), "c.json"),
                       "c.json[0]: Plain: unknown option 'patience'; allowed: none", ConfigError);
  CHECK_THROWS_AS(registry().make_callbacks(parse_json(R"([{"type": "Patient"}])", "test")), ConfigError);
}

TEST_CASE("what is not an array of objects with a type is refused") {
  for (const char* text : {"{}", "3", "[3]", "[{}]", R"([{"type": 3}])", R"({"type": "Plain"})"}) {
    CHECK_THROWS_AS_MESSAGE(registry().make_callbacks(parse_json(text, "test")), ConfigError, text);
  }
  CHECK(registry().make_callbacks(parse_json("[]", "test")).empty());
}

TEST_CASE("the effective configuration writes every option out and makes the same callbacks") {
  const auto given = parse_json(R"([{"type": "Patient", "monitor": "val_loss"}])", "test");
  const auto effective = registry().effective(given);
  CHECK(effective.dump() == R"([{"monitor":"val_loss","patience":3,"type":"Patient"}])");
  CHECK(registry().make_callbacks(effective)[0]->info().state_key == "Patient{val_loss,3}");
}

TEST_CASE("a type is registered once, with its options listed") {
  CallbackRegistry types = registry();
  CHECK(types.types() == std::vector<std::string>{"Patient", "Plain"});
  CHECK(types.options("Patient")[1].name == "patience");
  CHECK(types.options("Plain").empty());
  CHECK_THROWS_AS(types.register_callback<Plain>("Patient"), ConfigError);
  CHECK_THROWS_AS((types.register_callback<Misnamed, OptionNamedType>("Misnamed")), ConfigError);
}
