#include "troupe/runtime/checkpoint/checkpoint_diff.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/checkpoint/element_comparison.h"
#include "troupe/runtime/event/message_fields.h"

using namespace troupe;

namespace {

/// Two checkpoints that are the same until one is changed.
struct Pair {
  TemporaryFolder folder;
  SmallCheckpoint a;
  SmallCheckpoint b;

  CheckpointDiff diff() const {
    write_checkpoint(folder.path() / "a", a.parts);
    write_checkpoint(folder.path() / "b", b.parts);
    return diff_checkpoints(folder.path() / "a", folder.path() / "b");
  }
};

void check_value(const std::vector<ValueDifference>& values, const std::string& name, const std::string& a,
                 const std::string& b) {
  CAPTURE(name);
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.name == name; });
  REQUIRE(found != values.end());
  CHECK(found->a == a);
  CHECK(found->b == b);
}

template <class T>
ElementComparison compared(v1::DType dtype, const std::vector<T>& a, const std::vector<T>& b) {
  ElementComparison comparison(dtype);
  comparison.add(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
  return comparison;
}

}  // namespace

TEST_CASE_FIXTURE(Pair, "checkpoints of one state are equal, wherever and whenever they were taken") {
  b.parts.header.set_run_id("another");
  b.parts.header.set_seq(43);
  b.parts.header.set_elapsed_us(1);
  b.parts.run_state.set_seq(43);
  b.parts.training_state.mutable_loop()->set_last_validation_us(5);
  const auto found = diff();
  CHECK(found.equal());
  CHECK(found.tensors == 3);
}

TEST_CASE_FIXTURE(Pair, "elements that differ are counted, with the largest difference") {
  b.weight = {1.0F, -2.5F, 0.5F, 0.25F, 3.0F, 0.125F};
  b.rng[2] = 4;
  const auto found = diff();
  CHECK_FALSE(found.equal());
  REQUIRE(found.tensors_differing.size() == 2);
  const auto& weight = found.tensors_differing[0];
  CHECK(weight.name == "module.weight");
  CHECK(weight.type == "float32 [2, 3]");
  CHECK(weight.elements == 6);
  CHECK(weight.differing == 2);
  CHECK(weight.max_absolute == 0.5);
  CHECK(weight.max_relative == 2);
  CHECK(found.tensors_differing[1].name == "rng.cpu");
  CHECK(found.state.empty());
}

TEST_CASE_FIXTURE(Pair, "tensors in one only, of another type or shape, and in another order are found by name") {
  a.parts.tensors[1].name = "module.a";
  b.parts.tensors[1].name = "module.b";
  b.parts.tensors[0].shape = {3, 2};
  b.parts.tensors[2].dtype = v1::DTYPE_INT8;
  std::swap(b.parts.tensors[0], b.parts.tensors[2]);
  const auto found = diff();
  CHECK(found.tensors_only_in_one.size() == 2);
  check_value(found.tensors_only_in_one, "module.a", "float32 [0, 3]", "");
  check_value(found.tensors_only_in_one, "module.b", "", "float32 [0, 3]");
  check_value(found.tensors_of_other_type, "module.weight", "float32 [2, 3]", "float32 [3, 2]");
  check_value(found.tensors_of_other_type, "rng.cpu", "uint8 [3]", "int8 [3]");
  CHECK(found.tensors_differing.empty());
}

TEST_CASE_FIXTURE(Pair, "position, loop, optimizers and callbacks are compared by name") {
  b.parts.header.mutable_position()->set_global_step(21);
  b.parts.training_state.mutable_loop()->set_global_step(21);
  for (auto* parts : {&a.parts, &b.parts}) {
    auto& optimizer = *parts->training_state.add_optimizers();
    optimizer.set_type("SGD");
    StateDict options;
    options.set("lr", parts == &a.parts ? 0.1 : 0.05);
    options.set("nesterov", true);
    *optimizer.add_groups()->mutable_options() = options.proto();
    auto& parameter = *optimizer.add_parameters();
    parameter.set_parameter("weight");
    StateDict scalars;
    scalars.set("step", parts == &a.parts ? 20 : 21);
    *parameter.mutable_scalars() = scalars.proto();
  }
  b.parts.callback_states[1].set_state_key("Timer2");
  StateDict stopping;
  stopping.set("best_score", 0.25);
  stopping.set("wait_count", 2.0);
  *b.parts.callback_states[0].mutable_state() = stopping.proto();
  const auto found = diff();
  CHECK(found.tensors_differing.empty());
  check_value(found.state, "position.global_step", "20", "21");
  check_value(found.state, "loop.global_step", "20", "21");
  check_value(found.state, "optimizers[0].groups[0].options.lr", "0.1", "0.05");
  check_value(found.state, "optimizers[0].parameters[weight].scalars.step", "20", "21");
  check_value(found.state, "callbacks[EarlyStopping{monitor=val_loss}].best_score", "0.5", "0.25");
  check_value(found.state, "callbacks[EarlyStopping{monitor=val_loss}].wait_count", "2", "2.0");
  check_value(found.state, "callbacks[Timer]", "there", "");
  check_value(found.state, "callbacks[Timer2]", "", "there");
  check_value(found.state, "callbacks[Timer2].wait_count", "", "2");
  CHECK(found.state.size() == 12);
}

TEST_CASE_FIXTURE(Pair, "a checkpoint of weights only differs from a whole one by all of its state") {
  b.parts.header.set_weights_only(true);
  const auto found = diff();
  check_value(found.state, "weights_only", "false", "true");
  check_value(found.state, "seed", "7", "");
  CHECK(found.tensors_differing.empty());
}

TEST_CASE_FIXTURE(Pair, "tensors of many chunks are compared whole") {
  std::vector<float> large(kChunkBytesMax / 4 * 2 + 3, 1.0F);
  std::vector<float> other = large;
  other[0] = 2;
  other[kChunkBytesMax / 4] = 3;
  other.back() = 0.5;
  const auto size = static_cast<int64_t>(large.size());
  a.parts.tensors.push_back({"module.large", v1::DTYPE_FLOAT32, {size}, std::as_bytes(std::span(large))});
  b.parts.tensors.insert(b.parts.tensors.begin(),
                         {"module.large", v1::DTYPE_FLOAT32, {size}, std::as_bytes(std::span(other))});
  const auto found = diff();
  REQUIRE(found.tensors_differing.size() == 1);
  CHECK(found.tensors_differing[0].differing == 3);
  CHECK(found.tensors_differing[0].max_absolute == 2);
}

TEST_CASE_FIXTURE(Pair, "a damaged checkpoint is compared with nothing") {
  diff();
  std::filesystem::resize_file(folder.path() / "b", 300);
  CHECK_THROWS_AS(diff_checkpoints(folder.path() / "a", folder.path() / "b"), DamageError);
}

TEST_CASE("differences are exact for every type") {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(compared<double>(v1::DTYPE_FLOAT64, {1, nan, -inf}, {1, nan, -inf}).differing() == 0);
  const auto zeros = compared<double>(v1::DTYPE_FLOAT64, {0.0}, {-0.0});
  CHECK(zeros.differing() == 1);
  CHECK(zeros.max_absolute() == 0);
  CHECK(zeros.max_relative() == 0);
  CHECK(compared<double>(v1::DTYPE_FLOAT64, {1}, {nan}).max_absolute() == inf);
  CHECK(compared<double>(v1::DTYPE_FLOAT64, {inf}, {1}).max_relative() == inf);
  CHECK(compared<double>(v1::DTYPE_FLOAT64, {nan}, {-nan}).max_absolute() == 0);
  CHECK(compared<int64_t>(v1::DTYPE_INT64, {INT64_MIN}, {INT64_MAX}).max_absolute() == 18446744073709551615.0);
  CHECK(compared<int64_t>(v1::DTYPE_INT64, {INT64_MAX}, {INT64_MAX - 1}).max_absolute() == 1);
  // binary16: 1.0 is 3c00, the smallest subnormal 0001, -infinity fc00. bfloat16: 1.0 is 3f80, 1.5 is 3fc0.
  CHECK(compared<uint16_t>(v1::DTYPE_FLOAT16, {0x3c00}, {0x0000}).max_absolute() == 1);
  CHECK(compared<uint16_t>(v1::DTYPE_FLOAT16, {0x0001}, {0x0000}).max_absolute() == std::ldexp(1.0, -24));
  CHECK(compared<uint16_t>(v1::DTYPE_FLOAT16, {0xfc00}, {0x0000}).max_absolute() == inf);
  CHECK(compared<uint16_t>(v1::DTYPE_BFLOAT16, {0x3f80}, {0x3fc0}).max_absolute() == 0.5);
  CHECK(compared<uint8_t>(v1::DTYPE_BOOL, {0, 1}, {1, 1}).differing() == 1);
}

TEST_CASE("fields of nested states are named by where they are, and integers are not floats") {
  StateDict inner;
  inner.set("x", 1.0);
  inner.set_none("nothing");
  StateDict state;
  state.set("count", 1);
  state.set("inner", inner);
  state.set("names", std::vector<std::string>{"a", "b"});
  const auto fields = message_fields(state.proto(), "s");
  CHECK(fields.at("s.count") == "1");
  CHECK(fields.at("s.inner.x") == "1.0");
  CHECK(fields.at("s.inner.nothing") == "none");
  CHECK(fields.at("s.inner") == "2 entries");
  CHECK(fields.at("s.names") == "2 values");
  CHECK(fields.at("s.names[1]") == "\"b\"");
  CHECK(fields.size() == 7);
}

TEST_CASE("states that differ have fields that differ, whatever their names") {
  const auto fields_of = [](const auto& fill) {
    StateDict state;
    fill(state);
    return message_fields(state.proto(), "s");
  };
  StateDict inner;
  inner.set("b", 1);
  const auto nested = fields_of([&](StateDict& state) { state.set("a", inner); });
  const auto dotted = fields_of([](StateDict& state) { state.set("a.b", 1); });
  const auto list = fields_of([](StateDict& state) { state.set("a", std::vector<double>{1}); });
  CHECK(nested.at("s.a.b") == "1");
  CHECK(dotted.at("s.\"a.b\"") == "1");
  CHECK(fields_of([](StateDict& state) { state.set("a[0]", 1.0); }).at("s.\"a[0]\"") == list.at("s.a[0]"));
  CHECK(fields_of([](StateDict& state) { state.set("\"a\\", 1); }).at(R"(s."\"a\\")") == "1");
  CHECK(fields_of([](StateDict& state) { state.set("", 1); }).at("s.\"\"") == "1");
  const auto empty = fields_of([](StateDict& state) { state.set("a", StateDict()); });
  CHECK(empty != fields_of([](StateDict&) {}));
  CHECK(empty.at("s.a") == "0 entries");
}
