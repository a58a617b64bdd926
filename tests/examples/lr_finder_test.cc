// The program lr_finder of examples/callbacks: what it wrote is computed here once more, by other means.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "tests/examples/program_run.h"
#include "tests/support/xml_checker.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;

TEST_CASE("lr_finder sweeps until the loss explodes, draws the curve and trains with the suggested rate") {
  const ProgramRun run("lr_finder");
  std::istringstream csv(read_file(run.run_dir() / "lr_finder.csv"));
  std::string line;
  std::getline(csv, line);
  CHECK(line == "lr,loss,smoothed_loss");
  std::vector<std::array<double, 3>> points;
  while (std::getline(csv, line)) {
    points.emplace_back();
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream(line) >> points.back()[0] >> points.back()[1] >> points.back()[2];
  }
  REQUIRE(points.size() > 20);
  CHECK(points.size() < 100);
  CHECK(run.printed("tried ") == std::vector{std::to_string(points.size()) + " of 100 rates"});

  double mean = 0;
  double smallest = points[0][1];
  for (size_t i = 0; i < points.size(); ++i) {
    CHECK(points[i][0] == doctest::Approx(1e-4 * std::pow(1e6, static_cast<double>(i) / 99)));
    mean = 0.9 * mean + 0.1 * points[i][1];
    CHECK(points[i][2] == doctest::Approx(mean / (1 - std::pow(0.9, static_cast<double>(i) + 1))));
    const bool last = i + 1 == points.size();
    CHECK((points[i][2] > 4 * smallest) == last);
    smallest = std::min(smallest, points[i][2]);
  }
  size_t steepest = 10;  // Rates are evenly spaced on the axis, so differences of losses are in the order of slopes.
  const auto fall = [&](size_t i) {
    return i == 10 ? 2 * (points[10][2] - points[11][2]) : points[i - 1][2] - points[i + 1][2];
  };
  for (size_t i = 11; i + 2 < points.size(); ++i) {
    steepest = fall(i) > fall(steepest) ? i : steepest;
  }
  const double suggested = points[steepest][0];
  REQUIRE(run.printed("suggested ").size() == 1);
  CHECK(std::stod(run.printed("suggested ")[0]) == suggested);
  CHECK(run.printed("trained with ") == run.printed("suggested "));
  REQUIRE(run.events(Event::kCommandApplied).size() == 1);
  CHECK(run.events(Event::kCommandApplied)[0].command_applied().command().set_learning_rate().lr() == suggested);

  const std::string svg = read_file(run.run_dir() / "lr_finder.svg");
  CHECK(xml_error(svg).empty());
  CHECK(svg.find(">suggested</text>") != std::string::npos);
  CHECK(svg.find(">1e-3</text>") != std::string::npos);
}
