#pragma once

#include <map>
#include <string>

namespace troupe {

/// Votes to stop, by sender. Any one stops the run once its minima are met; a sender may take its own back.
class StopVotes {
 public:
  void add(const std::string& from, const std::string& reason) { votes_[from] = reason; }
  void withdraw(const std::string& from) { votes_.erase(from); }
  bool any() const { return !votes_.empty(); }
  /// The first vote in the order of senders; there must be one.
  const std::pair<const std::string, std::string>& first() const { return *votes_.begin(); }

 private:
  std::map<std::string, std::string> votes_;
};

}  // namespace troupe
