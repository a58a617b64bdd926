#pragma once

#include <iosfwd>
#include <string>

namespace troupe::testing {

/// Runs a fit, or another stage, whose metrics are written down beforehand (tests/support/scripted_run.md has the
/// SPEC), and prints what became of it as one JSON object. Warnings of the run go to standard error. Returns the exit
/// status of the program scripted_run: 0 done; 1 the run failed, which the object says; 2 a SPEC, options or a
/// checkpoint that do not fit, told on `errors`.
int scripted_run(const std::string& spec_path, std::ostream& printed, std::ostream& errors);

}  // namespace troupe::testing
