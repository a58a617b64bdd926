#include "troupe/runtime/event/round.h"

#include <doctest/doctest.h>

using namespace troupe;

namespace {

Decision save(const std::string& from, const std::string& path) {
  Decision decision{from, "Saver", {}};
  decision.command.mutable_save_checkpoint()->set_path(path);
  return decision;
}

Decision stop(const std::string& from) {
  Decision decision{from, "Stopper", {}};
  decision.command.mutable_stop()->set_reason("enough");
  return decision;
}

Decision set_lr(const std::string& from, double lr, const std::string& group = {}) {
  Decision decision{from, "Setter", {}};
  decision.command.mutable_set_learning_rate()->set_lr(lr);
  decision.command.mutable_set_learning_rate()->set_group(group);
  return decision;
}

}  // namespace

TEST_CASE("decisions are applied by kind, then sender; checkpoints come last") {
  std::vector<Decision> decisions = {save("a", "x"), set_lr("c", 1), stop("b"), stop("a"), save("a", "w")};
  sort_canonically(decisions);
  std::string order;
  for (const auto& decision : decisions) {
    order += decision.from + ":" + std::string(command_name(decision.command)) + " ";
  }
  CHECK(order == "a:Stop b:Stop c:SetLearningRate a:SaveCheckpoint a:SaveCheckpoint ");
  CHECK(decisions[3].command.save_checkpoint().path() == "x");
}

TEST_CASE("two senders that set different learning rates of a group contradict each other, by name") {
  const auto reasons = find_contradictions({set_lr("a", 1), set_lr("b", 2, "pg1"), stop("c")});
  CHECK(reasons[0] == "contradicts the SetLearningRate of b");
  CHECK(reasons[1] == "contradicts the SetLearningRate of a");
  CHECK(reasons[2].empty());
}

TEST_CASE("equal commands, other groups and one sender's own do not contradict each other") {
  CHECK(find_contradictions({set_lr("a", 1), set_lr("b", 1)})[0].empty());
  CHECK(find_contradictions({set_lr("a", 1, "pg1"), set_lr("b", 2, "pg2")})[0].empty());
  CHECK(find_contradictions({set_lr("a", 1), set_lr("a", 2)})[0].empty());
}

TEST_CASE("what two senders want of one thing contradicts, what they want of two does not") {
  const auto contradict = [](const auto& fill_a, const auto& fill_b) {
    std::vector<Decision> decisions{{"a", "A", {}}, {"b", "B", {}}};
    fill_a(decisions[0].command);
    fill_b(decisions[1].command);
    const auto reasons = find_contradictions(decisions);
    CHECK(reasons[0].empty() == reasons[1].empty());
    return !reasons[0].empty();
  };
  const auto momentum = [](double value, const std::string& group) {
    return [=](v1::Command& command) {
      command.mutable_set_momentum()->set_momentum(value);
      command.mutable_set_momentum()->set_group(group);
    };
  };
  CHECK(contradict(momentum(0.5, ""), momentum(0.9, "pg1")));
  CHECK_FALSE(contradict(momentum(0.5, "pg0"), momentum(0.9, "pg1")));
  CHECK_FALSE(contradict(momentum(0.5, ""), momentum(0.5, "")));
  const auto accumulation = [](uint32_t batches) {
    return [=](v1::Command& command) { command.mutable_set_accumulation()->set_batches(batches); };
  };
  CHECK(contradict(accumulation(2), accumulation(3)));
  CHECK_FALSE(contradict(accumulation(2), accumulation(2)));
  const auto batch_size = [](uint32_t samples) {
    return [=](v1::Command& command) { command.mutable_set_batch_size()->set_samples(samples); };
  };
  CHECK(contradict(batch_size(2), batch_size(3)));
  CHECK_FALSE(contradict(batch_size(2), accumulation(3)));
  const auto frozen = [](bool value, const std::string& name) {
    return [=](v1::Command& command) {
      command.mutable_set_frozen()->set_frozen(value);
      command.mutable_set_frozen()->add_parameters(name);
    };
  };
  CHECK(contradict(frozen(true, "backbone"), frozen(false, "backbone.0.weight")));
  CHECK_FALSE(contradict(frozen(true, "backbone"), frozen(false, "head")));
  CHECK_FALSE(contradict(frozen(true, "backbone"), frozen(true, "backbone.0.weight")));
  const auto metric = [](const std::string& name, double value) {
    return [=](v1::Command& command) {
      command.mutable_log_metric()->set_name(name);
      command.mutable_log_metric()->set_value(value);
    };
  };
  CHECK(contradict(metric("x", 1), metric("x", 2)));
  CHECK_FALSE(contradict(metric("x", 1), metric("y", 2)));
  const auto rates = [](v1::LogLearningRates::Interval interval) {
    return [=](v1::Command& command) { command.mutable_log_learning_rates()->set_interval(interval); };
  };
  CHECK(contradict(rates(v1::LogLearningRates::INTERVAL_STEP), rates(v1::LogLearningRates::INTERVAL_EPOCH)));
  CHECK_FALSE(contradict(rates(v1::LogLearningRates::INTERVAL_STEP), rates(v1::LogLearningRates::INTERVAL_STEP)));
  const auto pause = [](v1::Command& command) { command.mutable_pause(); };
  const auto resume = [](v1::Command& command) { command.mutable_resume(); };
  CHECK(contradict(pause, resume));
  CHECK_FALSE(contradict(pause, pause));
  const auto saves = [](v1::Command& command) { command.mutable_save_checkpoint()->set_path("x.ckpt"); };
  const auto removes = [](const std::string& path) {
    return [=](v1::Command& command) { command.mutable_remove_checkpoint()->set_path(path); };
  };
  CHECK(contradict(saves, removes("x.ckpt")));
  CHECK_FALSE(contradict(saves, removes("y.ckpt")));
  CHECK_FALSE(contradict(removes("x.ckpt"), removes("x.ckpt")));
}

TEST_CASE("two senders that save one file contradict each other") {
  CHECK_FALSE(find_contradictions({save("a", "x"), save("b", "x")})[1].empty());
  CHECK(find_contradictions({save("a", "x"), save("b", "y")})[1].empty());
}
