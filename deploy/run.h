#pragma once

#include "troupe/deploy/experiment.h"

namespace troupe {

/// The command line of a training program: fit, validate, test, predict, config, callbacks and replay; every option is
/// a flag; --help says all. Call it from main and return what it returns: 0 done; 1 the run failed; 2 wrong usage or
/// configuration; 130 and 143 after SIGINT and SIGTERM. Errors are one line on standard error; results go to standard
/// output.
int run(int argc, char** argv, Experiment& experiment);

}  // namespace troupe
