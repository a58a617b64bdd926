#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "troupe/callbacks/common/monitor.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// The checkpoints with the k best scores, by Lightning's rules. Among equal scores the one that came first is the
/// best, and the worst.
class TopK {
 public:
  using Model = std::pair<std::string, double>;  ///< Path and score.

  /// `k` is -1 for no limit, or at least 1.
  TopK(Mode mode, int64_t k) : mode_(mode), k_(k) {}

  /// Whether a checkpoint with this score belongs in: there is room, or it is strictly better than the worst.
  bool admits(double score) const;
  /// Takes out the worst until there is room for one more. Their paths: one, or more where a restored state had a
  /// larger k.
  std::vector<std::string> make_room();
  /// Adds a path, or gives a known one a new score.
  void add(const std::string& path, double score);

  bool empty() const { return models_.empty(); }
  /// Whether there is no more room; with k = -1 always.
  bool full() const { return k_ == -1 || models_.size() >= static_cast<size_t>(k_); }
  /// Must not be empty for these two.
  const Model& best() const;
  const Model& worst() const;
  /// In the order added.
  const std::vector<Model>& models() const { return models_; }

  /// As "best_k_models", and their order as "best_k_order".
  void save(StateDict& state) const;
  void load(const StateDict& state);

 private:
  Mode mode_;
  int64_t k_;
  std::vector<Model> models_;
};

}  // namespace troupe
