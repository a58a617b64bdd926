#include "troupe/callbacks/checkpointing/top_k.h"

#include <algorithm>
#include <map>

namespace troupe {

bool TopK::admits(double score) const {
  return k_ == -1 || !full() || better(mode_, score, worst().second);
}

std::vector<std::string> TopK::make_room() {
  std::vector<std::string> paths;
  while (k_ != -1 && full()) {
    paths.push_back(worst().first);
    std::erase_if(models_, [&](const Model& model) { return model.first == paths.back(); });
  }
  return paths;
}

void TopK::add(const std::string& path, double score) {
  const auto known =
      std::find_if(models_.begin(), models_.end(), [&](const Model& model) { return model.first == path; });
  if (known == models_.end()) {
    models_.emplace_back(path, score);
  } else {
    known->second = score;
  }
}

const TopK::Model& TopK::best() const {
  return *std::min_element(models_.begin(), models_.end(),
                           [&](const Model& a, const Model& b) { return better(mode_, a.second, b.second); });
}

const TopK::Model& TopK::worst() const {
  return *std::max_element(models_.begin(), models_.end(),
                           [&](const Model& a, const Model& b) { return better(mode_, a.second, b.second); });
}

void TopK::save(StateDict& state) const {
  std::vector<std::string> order;
  for (const auto& [path, score] : models_) {
    order.push_back(path);
  }
  state.set("best_k_models", std::map<std::string, double>(models_.begin(), models_.end()));
  state.set("best_k_order", order);
}

void TopK::load(const StateDict& state) {
  const StateDict scores = state.get_dict("best_k_models");
  models_.clear();
  for (const auto& path : state.get_strings("best_k_order")) {
    models_.emplace_back(path, scores.get_double(path));
  }
}

}  // namespace troupe
