#pragma once

#include <cstdint>
#include <iostream>
#include <string>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct ModelSummaryOptions {
  int64_t max_depth = 1;  ///< How deep to list submodules; 0: no summary, -1: all.

  void describe(OptionVisitor& visit);
};

/// Prints the module's submodules with type, number of parameters and mode, and the totals, in Lightning's layout.
class ModelSummary {
 public:
  /// Prints to `out`, which must outlive the run.
  explicit ModelSummary(ModelSummaryOptions options = {}, std::ostream& out = std::cerr);

  void on(const FitStarted& event);

 private:
  ModelSummaryOptions options_;
  std::ostream* out_;
};

/// The table that ModelSummary prints, for a depth other than 0. Parameters that belong to no submodule have a row
/// "other params". Sizes are in MB of 10^6 bytes; the modules counted by mode are those below the root.
std::string format_model_summary(const FitStarted& fit, int64_t max_depth);

/// A count as people read it: "510", "7.9 K", "25.6 M".
std::string human_readable_count(uint64_t count);

}  // namespace troupe
