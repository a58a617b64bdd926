#include "troupe/runtime/plot/line_plot.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/base/xml_text.h"

namespace troupe {
namespace {

constexpr int kSmallest = 200;
constexpr double kLeft = 72;  // Margins around the axes, in pixels.
constexpr double kRight = 24;
constexpr double kTop = 40;
constexpr double kBottom = 56;
constexpr int kTextSize = 12;
/// Colours that stay apart for the colour-blind (Okabe and Ito).
constexpr std::array<std::string_view, 6> kColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};

std::string pixels(double value) {
  return fixed_text(value, 2);
}

std::vector<double> values_of(const LinePlot& plot, std::vector<double> PlotLine::*line, double PlotMark::*mark) {
  std::vector<double> values;
  for (const auto& each : plot.lines) {
    values.insert(values.end(), (each.*line).begin(), (each.*line).end());
  }
  for (const auto& each : plot.marks) {
    values.push_back(each.*mark);
  }
  return values;
}

void check(const LinePlot& plot) {
  if (plot.lines.empty()) {
    throw ConfigError("plot: there is no line to draw");
  }
  for (const auto& line : plot.lines) {
    if (line.x.empty() || line.x.size() != line.y.size()) {
      throw ConfigError("plot: line '" + line.label + "' has " + std::to_string(line.x.size()) + " x and " +
                        std::to_string(line.y.size()) + " y values; it needs as many of both, and at least one");
    }
  }
  if (plot.width < kSmallest || plot.height < kSmallest) {
    throw ConfigError("plot: a picture of " + std::to_string(plot.width) + " by " + std::to_string(plot.height) +
                      " pixels is too small; each side must be at least " + std::to_string(kSmallest));
  }
}

/// Draws one plot; each function appends its part.
class Drawing {
 public:
  explicit Drawing(const LinePlot& plot)
      : plot_(plot),
        x_(plot.x.scale, values_of(plot, &PlotLine::x, &PlotMark::x), "the x axis"),
        y_(plot.y.scale, values_of(plot, &PlotLine::y, &PlotMark::y), "the y axis"),
        right_(plot.width - kRight),
        bottom_(plot.height - kBottom) {}

  std::string svg() {
    const std::string size = std::to_string(plot_.width) + "\" height=\"" + std::to_string(plot_.height);
    svg_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + size +
           "\" viewBox=\"0 0 " + std::to_string(plot_.width) + " " + std::to_string(plot_.height) +
           "\" font-family=\"sans-serif\" font-size=\"" + std::to_string(kTextSize) + "\">\n<title>" +
           xml_escaped(plot_.title) + "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    draw_x_axis();
    draw_y_axis();
    draw_titles();
    for (size_t i = 0; i < plot_.lines.size(); ++i) {
      draw_line(plot_.lines[i], kColours[i % kColours.size()]);
    }
    draw_legend();
    for (const auto& mark : plot_.marks) {
      draw_mark(mark);
    }
    return svg_ + "</svg>\n";
  }

 private:
  double left_of(double x) const { return kLeft + x_.fraction(x) * (right_ - kLeft); }
  double top_of(double y) const { return bottom_ - y_.fraction(y) * (bottom_ - kTop); }

  void draw_segment(double x1, double y1, double x2, double y2, std::string_view colour, std::string_view more = {}) {
    svg_ += "<line x1=\"" + pixels(x1) + "\" y1=\"" + pixels(y1) + "\" x2=\"" + pixels(x2) + "\" y2=\"" + pixels(y2) +
            "\" stroke=\"" + std::string(colour) + "\"" + std::string(more) + "/>\n";
  }
  /// `more`: further attributes, each with a space before it.
  void draw_text(double x, double y, const std::string& text, std::string_view anchor, std::string_view more = {}) {
    svg_ += "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" text-anchor=\"" + std::string(anchor) + "\"" +
            std::string(more) + ">" + xml_escaped(text) + "</text>\n";
  }

  void draw_x_axis() {
    for (const auto& tick : x_.ticks()) {
      const double x = left_of(tick.value);
      draw_segment(x, kTop, x, bottom_, tick.label.empty() ? "#f0f0f0" : "#d0d0d0");
      if (!tick.label.empty()) {
        draw_text(x, bottom_ + 18, tick.label, "middle");
      }
    }
  }
  void draw_y_axis() {
    for (const auto& tick : y_.ticks()) {
      const double y = top_of(tick.value);
      draw_segment(kLeft, y, right_, y, tick.label.empty() ? "#f0f0f0" : "#d0d0d0");
      if (!tick.label.empty()) {
        draw_text(kLeft - 8, y + 4, tick.label, "end");
      }
    }
  }
  void draw_titles() {
    svg_ += "<rect x=\"" + pixels(kLeft) + "\" y=\"" + pixels(kTop) + "\" width=\"" + pixels(right_ - kLeft) +
            "\" height=\"" + pixels(bottom_ - kTop) + "\" fill=\"none\" stroke=\"#404040\"/>\n";
    draw_text((kLeft + right_) / 2, kTop - 16, plot_.title, "middle", " font-size=\"15\"");
    draw_text((kLeft + right_) / 2, plot_.height - 14, plot_.x.label, "middle");
    const double middle = (kTop + bottom_) / 2;
    draw_text(18, middle, plot_.y.label, "middle", " transform=\"rotate(-90 18 " + pixels(middle) + ")\"");
  }

  void draw_line(const PlotLine& line, std::string_view colour) {
    svg_ += "<polyline fill=\"none\" stroke-width=\"1.5\" stroke-linejoin=\"round\" stroke=\"" + std::string(colour) +
            "\" points=\"";
    for (size_t i = 0; i < line.x.size(); ++i) {
      svg_ += (i == 0 ? "" : " ") + pixels(left_of(line.x[i])) + "," + pixels(top_of(line.y[i]));
    }
    svg_ += "\"/>\n";
    if (line.x.size() == 1) {
      draw_dot(line.x[0], line.y[0], 2, colour);
    }
  }

  void draw_legend() {
    double y = kTop + 18;
    for (size_t i = 0; i < plot_.lines.size(); ++i) {
      if (!plot_.lines[i].label.empty()) {
        draw_segment(kLeft + 12, y - 4, kLeft + 36, y - 4, kColours[i % kColours.size()], " stroke-width=\"2\"");
        draw_text(kLeft + 42, y, plot_.lines[i].label, "start");
        y += kTextSize + 6;
      }
    }
  }

  void draw_dot(double x, double y, int radius, std::string_view colour) {
    svg_ += "<circle cx=\"" + pixels(left_of(x)) + "\" cy=\"" + pixels(top_of(y)) + "\" r=\"" + std::to_string(radius) +
            "\" fill=\"" + std::string(colour) + "\"/>\n";
  }

  /// A dot, a line down to the x axis, and the text at the right, but at the left near the right end.
  void draw_mark(const PlotMark& mark) {
    constexpr std::string_view kColour = "#B00020";
    const bool near_end = x_.fraction(mark.x) > 0.75;
    const double x = left_of(mark.x);
    const double y = top_of(mark.y);
    draw_segment(x, y, x, bottom_, kColour, " stroke-dasharray=\"4 3\"");
    draw_dot(mark.x, mark.y, 4, kColour);
    const double text_x = x + (near_end ? -9 : 9);
    const double text_y = std::max(y - 7, kTop + kTextSize);
    const std::string_view anchor = near_end ? "end" : "start";
    draw_text(text_x, text_y, mark.label, anchor,
              " stroke=\"white\" stroke-width=\"4\" aria-hidden=\"true\"");  // A halo.
    draw_text(text_x, text_y, mark.label, anchor, " fill=\"" + std::string(kColour) + "\"");
  }

  const LinePlot& plot_;
  PlotAxis x_;
  PlotAxis y_;
  double right_;
  double bottom_;
  std::string svg_;
};

}  // namespace

std::string to_svg(const LinePlot& plot) {
  check(plot);
  return Drawing(plot).svg();
}

}  // namespace troupe
