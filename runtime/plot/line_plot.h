#pragma once

#include <string>
#include <vector>

#include "troupe/runtime/plot/plot_axis.h"

namespace troupe {

/// A line through its points, in their order.
struct PlotLine {
  std::vector<double> x;
  std::vector<double> y;   ///< As many as x, and at least one.
  std::string label = {};  ///< In the legend; empty: not there.
};

/// A point that is pointed out, with its text beside it.
struct PlotMark {
  double x;
  double y;
  std::string label = {};
};

/// A picture of lines over two axes.
struct LinePlot {
  struct Axis {
    std::string label = {};
    AxisScale scale = AxisScale::kLinear;
  };

  std::string title = {};
  Axis x = {};
  Axis y = {};
  std::vector<PlotLine> lines = {};
  std::vector<PlotMark> marks = {};
  int width = 720;  ///< Of the picture, in pixels; at least 200.
  int height = 440;
};

/// The picture as a standalone SVG document, well formed whatever the texts hold. The same plot always gives the same
/// bytes. Both axes show every line and mark. Throws ConfigError when there is no line, a line has no points or not as
/// many x as y, a value cannot be shown (PlotAxis says which), or the picture is too small.
std::string to_svg(const LinePlot& plot);

}  // namespace troupe
