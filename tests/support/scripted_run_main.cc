// The program that conformance cases run on: scripted_run SPEC.json.
#include <iostream>

#include "tests/support/scripted_run.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: scripted_run SPEC.json\n";
    return 2;
  }
  return troupe::testing::scripted_run(argv[1], std::cout, std::cerr);
}
