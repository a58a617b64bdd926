// Writes the golden files into the folder that it is given. They are made once per format version and then stay as they
// are: what a version has written, every later one reads.
#include <iostream>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/log_events.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_golden_files FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  troupe::write_log(folder / "event_log_v1" / "events", troupe::resumed_run_events());
  troupe::write_checkpoint(folder / "checkpoint_v1.ckpt", troupe::SmallCheckpoint().parts);
  troupe::write_checkpoint(folder / "checkpoint_full_v1.ckpt", troupe::FullCheckpoint().parts);
}
