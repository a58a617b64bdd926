#include "troupe/callbacks/common/python_format.h"

#include <doctest/doctest.h>

#include <limits>

using namespace troupe;

TEST_CASE("a number is printed as Python's repr prints it") {
  CHECK(python_repr(1.0) == "1.0");
  CHECK(python_repr(0.1) == "0.1");
  CHECK(python_repr(-0.0) == "-0.0");
  CHECK(python_repr(100000.0) == "100000.0");
  CHECK(python_repr(1e15) == "1000000000000000.0");
  CHECK(python_repr(1e16) == "1e+16");
  CHECK(python_repr(0.0001) == "0.0001");
  CHECK(python_repr(0.00001) == "1e-05");
  CHECK(python_repr(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(python_repr(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("a string is printed as Python's repr prints it") {
  CHECK(python_repr("val_loss") == "'val_loss'");
  CHECK(python_repr("it's") == "\"it's\"");
  CHECK(python_repr("a\\b\n\x01") == "'a\\\\b\\n\\x01'");
}
