#include "runtime/round.h"

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

TEST_CASE("two senders that save one file contradict each other") {
  CHECK_FALSE(find_contradictions({save("a", "x"), save("b", "x")})[1].empty());
  CHECK(find_contradictions({save("a", "x"), save("b", "y")})[1].empty());
}
